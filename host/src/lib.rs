//! bolt-host: an HTTP server that runs Python web apps in WebAssembly sandboxes.
//!
//! # The path of a request
//!
//! ```text
//!  socket ─ hyper ─ route ─ read body ─ validate ─ check out ─ guest call ─ decode ─ respond
//!  └────────────── Rust, no Python touched ──────┘ └──── one interpreter ──┘ └──── Rust ───┘
//! ```
//!
//! [`server`] accepts a [`mod@connection`] on one of its workers, each a thread with a listener and instances of its
//! own, on one of the [`cores`], and hyper reads a request from the [`wire`], behind [`tls`] if there is a certificate
//! ([`mod@http1`] takes connections from it that rest). [`pipeline`] is the request's whole path in one function:
//! [`request`] refuses heads that are ambiguous, [`hosts`] say which app of the [`table`] it is for, the app's
//! [`gate`] keeps its [`rate`], [`docs`] answers for the app's description, [`route`] finds the handler, [`mod@body`]
//! receives what comes behind the head ([`uploads`] keeps its files, and a share of memory for bodies that are in
//! [`transit`] bounds it), [`params`] turns path, query, headers, body and [`form`] into arguments ([`values`] by
//! name, [`validate`] by type with its [`unions`], [`mod@scalar`] by value, [`check`] for constraints, [`errors422`]
//! for what does not fit), written as [`marshal`]. The [`app`] has a [`lane`] of instances for the handler: the
//! request waits there with a [`ticket`] until one of its [`roster`] takes it, on this worker or on one with a freer
//! core. The [`driver`] of that instance calls the [`guest`] and keeps its [`vitals`]; handlers that wait are resumed
//! by the guest's own event loop when its [`alarm`] rings. The reply comes back marshalled; [`reply`] decodes it
//! ([`aside`] of the thread, when it is large), [`json`] encodes its values ([`escape`] its strings, [`unencodable`]
//! what cannot be), [`response`] makes the HTTP of it. Whatever goes wrong on the way is a [`fault`], [`stats`] count
//! it, and [`accesslog`] writes the line. A reply may be a file of one of the [`folders`] that were granted: [`files`]
//! opens and sends it.
//!
//! The data moves forward: `RouteMatch → ValidArgs → PendingCall → Reply → HttpResponse`.
//!
//! # How an app gets there
//!
//! [`cli`] says what was typed (in [`units`] of time and size) and [`config`] what it means; [`commands`] are the steps
//! of each command. Apps are kept in the [`slot`]s of a [`table`], where one may take another's place, made [`ready`]
//! from whatever they were given as. [`tenancy`] has the commands for hosts of many apps: a [`hostfile`] says which,
//! each is [`stored`] until it is asked for, the [`keeper`] builds and replaces them, [`admin`] tells operators of them
//! (in [`metrics`]) and [`deploy`] tells it what to do. [`embed`] is the host as a library, whose apps are each a
//! [`plugin`] with functions to be called in a [`direct`] way. The [`runner`] runs an app from its source, for [`dev`]
//! and for the time until it is built. [`inspect`] shows what an app is made of, and, by [`trial`], how many [`pages`]
//! its instances write to. [`builder`] makes a component of an app's [`source`] with [`python`] and the [`sdk`] that
//! the program carries, compiles it once into an [`artifact`] (its [`progress`] is told meanwhile), and asks it for its
//! [`manifest`] ([`manifest_wire`] as it is written), which the host relies on from then on; its [`types`] are what
//! values may be. [`project`] is what `new` makes. [`component`] checks, loads and links, for an [`engine`] that maps the
//! interpreter's code once for all apps; [`store`] is what an instance
//! owns on this side of the wall, with [`guestlog`] for what it prints and [`exchanges`] for what it asks of other
//! servers, which [`outbound`] sends to where the [`grants`] allow; [`policy`] decides who shares an instance, when it
//! is retired and where work goes, and under [`pressure`] idle instances make room for others. Workers that [`rest`] have
//! the allocator give memory back.
//!
//! Pure stages (`route`, `params`, `values`, `form`, `validate`, `scalar`, `check`, `marshal`, `json`, `manifest`,
//! `docs`, `reply`, `policy`, `grants`, `folders`, `hosts`, `rate`, `direct`, `units`) know nothing of wasmtime, hyper
//! or tokio; a test over their `use` lines holds them to it.

#![cfg_attr(not(feature = "cli"), allow(dead_code))] // The server and dormant apps are the program's; the linker drops them.

#[cfg(feature = "cli")]
mod admin;
mod apps;
mod build;
#[cfg(feature = "cli")]
pub mod cli;
mod codec;
pub mod config;
pub mod embed;
mod error;
mod http;
#[cfg(feature = "internals")]
pub mod internals;
mod manifest;
mod pool;
#[cfg(test)]
mod properties;
mod quota;
mod sandbox;
mod telemetry;
mod util;
mod validation;
