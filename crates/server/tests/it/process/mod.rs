//! The real binary as a process of its own: what it promises to whoever starts, stops, asks or kills it.

mod authorities;
mod blocked_numbers;
mod cli;
mod completeness;
mod config;
mod crash;
mod demo;
mod drain;
mod outage;
mod platforms;
mod portability;
mod receiver;
mod recordings;
mod retries;
mod scene;
mod secrets;
mod server;
mod single;
mod sources;
mod telling;
mod webhooks;
