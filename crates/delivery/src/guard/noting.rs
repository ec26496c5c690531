//! What is noted of a request on its way: a failed connection does not say what it dialled, and a timeout not what was
//! waited for.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// What was noted of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// Which addresses its name was resolved to. Nothing where a pooled connection was used or the host is an address.
    pub(crate) resolved: Vec<IpAddr>,
    /// What it waits for.
    pub(crate) waits_for: WaitsFor,
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// The answer, over a connection.
    #[default]
    Answer,
    /// The addresses of a name.
    Addresses,
    /// A connection: TCP and TLS.
    Connection,
}

/// Where notes are taken.
#[derive(Clone, Default)]
pub(crate) struct Notebook(Arc<Mutex<Notes>>);

tokio::task_local! {
    /// That of the request which this task is sending.
    static NOTEBOOK: Notebook;
}

impl Notebook {
    /// That of the request which this task is sending. Outside of a request of ours nobody reads it.
    pub(crate) fn of_this_request() -> Self {
        NOTEBOOK.try_with(Clone::clone).unwrap_or_default()
    }

    /// Notes what it waits for.
    pub(crate) fn waits_for(&self, what: WaitsFor) {
        self.notes().waits_for = what;
    }

    /// Notes what its name was resolved to; now it waits for a connection.
    pub(super) fn resolved(&self, addresses: &[IpAddr]) {
        *self.notes() = Notes { resolved: addresses.to_vec(), waits_for: WaitsFor::Connection };
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a request and tells what was noted of it.
pub(crate) async fn noting<T>(request: impl Future<Output = T>) -> (T, Notes) {
    let notebook = Notebook::default();
    let output = NOTEBOOK.scope(notebook.clone(), request).await;
    let notes = notebook.notes().clone();
    (output, notes)
}
