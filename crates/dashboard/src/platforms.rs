//! The voice platforms in their own words: what they are called, and how each is connected. The words are the connectors'.

use connectors::{OwnSecret, Setup};
use model::Platform;

/// The platforms that can be connected, those that need the least first.
pub(crate) fn all() -> impl Iterator<Item = Platform> {
    Platform::ALL.into_iter().filter(|platform| *platform != Platform::Api)
}

/// The platform that a word names.
pub(crate) fn named(word: &str) -> Option<Platform> {
    all().find(|platform| platform.as_str() == word)
}

pub(crate) fn name(platform: Platform) -> &'static str {
    setup(platform).map_or("The API", |setup| setup.name)
}

/// The secret that the platform gives out and that has to be pasted here.
pub(crate) fn own_secret(platform: Platform) -> Option<OwnSecret> {
    setup(platform)?.secret
}

/// What is to be done there with the address, a step after the other.
pub(crate) fn steps(platform: Platform) -> &'static [&'static str] {
    setup(platform).map_or(&[], |setup| setup.steps)
}

/// Whether it is our secret that is to be set there.
pub(crate) fn takes_ours(platform: Platform) -> bool {
    own_secret(platform).is_none()
}

fn setup(platform: Platform) -> Option<Setup> {
    connectors::connector(platform).map(|connector| connector.setup())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_is_called_something_and_is_connected_in_steps() {
        for platform in all() {
            assert!(!name(platform).is_empty() && !steps(platform).is_empty(), "{platform:?}");
            assert_eq!(named(platform.as_str()), Some(platform));
        }
        assert_eq!((named("api"), name(Platform::Api)), (None, "The API"));
    }
}
