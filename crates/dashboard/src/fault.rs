//! What is wrong with a form that was filled in.

/// Which field is wrong, and how.
pub(crate) type Fault = (&'static str, String);

/// The fault of a form that is shown again, if it has one.
pub(crate) struct Faults(pub(crate) Option<Fault>);

impl Faults {
    /// Why a field is wrong, if it is.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        self.0.as_ref().filter(|(each, _)| *each == field).map(|(_, why)| why.as_str())
    }
}
