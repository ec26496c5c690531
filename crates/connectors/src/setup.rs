//! How a person connects a platform, in the platform's own words.

/// What the person who connects a platform has to know.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// What the platform is called.
    pub name: &'static str,
    /// The secret that the platform gives out and that has to be given to us. `None` where ours is set in the platform.
    pub secret: Option<OwnSecret>,
    /// What is to be done in the platform with the source's address, a step after the other.
    pub steps: &'static [&'static str],
}

/// A secret that the platform gives out.
#[derive(Clone, Copy, Debug)]
pub struct OwnSecret {
    /// What it is, in words that follow "signs with".
    pub what: &'static str,
    /// What the field is called that it is pasted into.
    pub label: &'static str,
    /// Where it is found.
    pub hint: &'static str,
    /// Whether the platform shows it before it knows our address.
    pub is_first: bool,
}
