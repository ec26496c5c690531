//! How often somebody may try to sign in: for each account and address together, and for each address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use model::Time;
use sha2::{Digest, Sha256};

/// How long a window lasts, which opens with the first failure.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Failures in a window for one account from one address. Others may go on trying for the account, so that nobody can be
/// locked out by somebody else.
const FOR_ACCOUNT: u32 = 10;

/// Failures in a window from one address.
const FOR_ADDRESS: u32 = 50;

/// Above this many windows those that are over are swept out.
const SWEEP_AT: usize = 10_000;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Account(IpAddr, [u8; 32]),
    Address(IpAddr),
}

/// The failures of late.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<Who, (Time, u32)>>);

impl Throttle {
    /// Counts a try as a failure until it is known to be none, so that many at once are no way around. An error is how
    /// long to wait before trying again.
    pub(crate) fn admit(&self, address: IpAddr, email: &str, now: Time) -> Result<(), Duration> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = limits(address, email).into_iter().filter_map(|(who, limit)| {
            let (opened, count) = *windows.get(&who)?;
            (count >= limit && !is_over(opened, now)).then(|| WINDOW.saturating_sub(now.since(opened)))
        });
        if let Some(wait) = waits.max() {
            return Err(wait);
        }
        if windows.len() > SWEEP_AT {
            windows.retain(|_, (opened, _)| !is_over(*opened, now));
        }
        for (who, _) in limits(address, email) {
            let window = windows.entry(who).or_insert((now, 0));
            if is_over(window.0, now) {
                *window = (now, 0);
            }
            window.1 += 1;
        }
        Ok(())
    }

    /// Takes back a try that was no failure.
    pub(crate) fn forgive(&self, address: IpAddr, email: &str) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (who, _) in limits(address, email) {
            if let Some(window) = windows.get_mut(&who) {
                window.1 = window.1.saturating_sub(1);
            }
        }
    }
}

fn limits(address: IpAddr, email: &str) -> [(Who, u32); 2] {
    let account = Sha256::digest(email.trim().to_lowercase().as_bytes()).into();
    [(Who::Account(address, account), FOR_ACCOUNT), (Who::Address(address), FOR_ADDRESS)]
}

fn is_over(opened: Time, now: Time) -> bool {
    now < opened || now.since(opened) >= WINDOW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_ten_failures_one_waits_and_others_do_not() {
        let throttle = Throttle::default();
        let (home, elsewhere) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let now = Time::from_micros(1_000_000_000);
        for _ in 0..FOR_ACCOUNT {
            assert_eq!(throttle.admit(home, "a@example.com", now), Ok(()));
        }
        assert_eq!(throttle.admit(home, " A@example.com", now), Err(WINDOW));
        assert_eq!(throttle.admit(home, "b@example.com", now), Ok(()));
        assert_eq!(throttle.admit(elsewhere, "a@example.com", now), Ok(()));
        assert_eq!(throttle.admit(home, "a@example.com", now + WINDOW), Ok(()));
    }

    #[test]
    fn who_signs_in_may_do_so_again_and_again() {
        let throttle = Throttle::default();
        let (home, now) = (IpAddr::from([127, 0, 0, 1]), Time::from_micros(0));
        for _ in 0..2 * FOR_ADDRESS {
            assert_eq!(throttle.admit(home, "a@example.com", now), Ok(()));
            throttle.forgive(home, "a@example.com");
        }
    }

    #[test]
    fn an_address_cannot_go_on_with_ever_other_accounts() {
        let throttle = Throttle::default();
        let (home, now) = (IpAddr::from([127, 0, 0, 1]), Time::from_micros(0));
        for number in 0..FOR_ADDRESS {
            assert_eq!(throttle.admit(home, &format!("{number}@example.com"), now), Ok(()));
        }
        assert_eq!(throttle.admit(home, "new@example.com", now), Err(WINDOW));
    }
}
