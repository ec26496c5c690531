//! The one integration test binary.

mod api;
mod process;
mod support;
