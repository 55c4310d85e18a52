//! What apps and operators see of the program, over real sockets and real builds: one module per topic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod admin;
mod app_folder;
mod asyncio;
mod browser;
mod build_walls;
mod cli;
mod compat;
mod crud;
mod dev;
mod differential;
mod docs;
mod drivers;
mod examples;
mod exec;
mod extensions;
mod files;
mod flatten;
mod foreign;
mod handlers;
mod http;
mod installed;
mod keys;
mod outbound;
mod outbound_clients;
mod postgres;
mod readme;
mod sdk;
mod sleepers;
mod sockets;
mod sql;
mod streams;
mod structure;
mod tcp;
mod tenants;
mod tls;
mod topics;
mod topics_shared;
