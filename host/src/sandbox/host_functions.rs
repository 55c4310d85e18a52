//! The host functions of `wit/bolt.wit`: each delegates to the instance's [`HostState`].

use crate::sandbox::bindings::bolt;
use crate::sandbox::bindings::bolt::host::host::{self, Level};
use crate::sandbox::bindings::bolt::host::http::{self, Chunk};
use crate::sandbox::bindings::bolt::host::kv;
use crate::sandbox::bindings::bolt::host::sockets::{self, Message};
use crate::sandbox::bindings::bolt::host::sql::{self, Part as SqlPart};
use crate::sandbox::bindings::bolt::host::streams::{self, Part, Progress, Taken};
use crate::sandbox::bindings::bolt::host::tcp;
use crate::sandbox::bindings::bolt::host::topics::{self, Event, Published};
use crate::sandbox::guest_files::CountedFiles;
use crate::sandbox::host_state::HostState;
use crate::sandbox::stdio::GuestStream;
use std::time::Duration;
use wasmtime::component::{Accessor, HasData, Linker};
use wasmtime_wasi::p2::bindings::filesystem::types;

/// Add WASI and the host functions to a linker.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // WASI's own functions for files count nothing.
    linker.allow_shadowing(true);
    types::add_to_linker::<_, CountedFiles>(linker, HostState::files)?;
    linker.allow_shadowing(false);
    bolt::host::host::add_to_linker::<_, HostData>(linker, |state| state)?;
    bolt::host::http::add_to_linker::<_, HostData>(linker, |state| state)?;
    bolt::host::streams::add_to_linker::<_, HostData>(linker, |state| state)?;
    bolt::host::sockets::add_to_linker::<_, HostData>(linker, |state| state)?;
    bolt::host::topics::add_to_linker::<_, HostData>(linker, |state| state)?;
    bolt::host::tcp::add_to_linker::<_, HostData>(linker, |state| state)?;
    bolt::host::kv::add_to_linker::<_, HostData>(linker, |state| state)?;
    bolt::host::sql::add_to_linker::<_, HostData>(linker, |state| state)
}

struct HostData;

impl HasData for HostData {
    type Data<'a> = &'a mut HostState;
}

impl host::Host for HostState {
    fn log(&mut self, request: u64, level: Level, text: String) -> wasmtime::Result<()> {
        // A guest may not log in the name of another's request.
        let request = if self.owns(request) { request } else { 0 };
        self.output.write(request, level.into(), &text);
        Ok(())
    }

    fn reply(&mut self, request: u64, reply: String) -> wasmtime::Result<()> {
        self.answer(request, reply);
        Ok(())
    }

    fn serving(&mut self, request: u64) -> wasmtime::Result<()> {
        self.serve(request);
        Ok(())
    }

    fn linger(&mut self, request: u64, done: bool) -> wasmtime::Result<()> {
        self.linger_for(request, done);
        Ok(())
    }

    fn upload(&mut self, request: u64, file: u32, offset: u64, size: u32) -> wasmtime::Result<Vec<u8>> {
        Ok(self.read_upload(request, file as usize, offset, size as usize))
    }

    fn alarm(&mut self, delay: u64) -> wasmtime::Result<()> {
        self.timer().set(Duration::from_nanos(delay));
        Ok(())
    }
}

impl host::HostWithStore<HostState> for HostData {
    async fn park(accessor: &Accessor<HostState, Self>) -> wasmtime::Result<()> {
        let (timer, execution) = accessor.with(|mut access| {
            let state = access.get();
            (state.timer(), state.execution.clone())
        });
        let parking = timer.parking();
        let parking = parking.ok_or_else(|| wasmtime::format_err!("the guest parks twice at a time"))?;
        execution.rested();
        parking.wait().await;
        execution.turn().await;
        execution.entered();
        Ok(())
    }
}

impl From<Level> for GuestStream {
    fn from(level: Level) -> Self {
        match level {
            Level::Stdout => Self::Stdout,
            Level::Stderr => Self::Stderr,
            Level::Error => Self::Error,
        }
    }
}

impl http::Host for HostState {
    fn begin(&mut self, head: String, body: String, more: bool) -> wasmtime::Result<u64> {
        Ok(self.exchanges.begin(&head, &body, more))
    }

    fn write(&mut self, exchange: u64, chunk: String, more: bool) -> wasmtime::Result<bool> {
        Ok(self.exchanges.write(exchange, &chunk, more))
    }

    fn response(&mut self, exchange: u64) -> wasmtime::Result<String> {
        Ok(self.exchanges.response(exchange))
    }

    fn read(&mut self, exchange: u64) -> wasmtime::Result<Chunk> {
        Ok(self.exchanges.read(exchange))
    }

    fn close(&mut self, exchange: u64) -> wasmtime::Result<()> {
        self.exchanges.close(exchange);
        Ok(())
    }

    fn proxy(&mut self, exchange: u64, request: u64) -> wasmtime::Result<bool> {
        Ok(self.proxy_response(exchange, request))
    }

    async fn wait(&mut self, exchange: u64) -> wasmtime::Result<()> {
        self.exchanges.changed(exchange).await;
        self.execution.turn().await;
        Ok(())
    }

    fn news(&mut self) -> wasmtime::Result<Vec<u64>> {
        Ok(self.exchanges.take_news())
    }
}

impl streams::Host for HostState {
    fn open(&mut self, request: u64) -> wasmtime::Result<bool> {
        Ok(self.open_stream(request))
    }

    fn write(&mut self, request: u64, chunk: String) -> wasmtime::Result<Taken> {
        Ok(self.write_stream(request, chunk))
    }

    fn close(&mut self, request: u64, failed: bool) -> wasmtime::Result<()> {
        self.close_stream(request, failed);
        Ok(())
    }

    fn read(&mut self, request: u64) -> wasmtime::Result<Part> {
        let part = self.streams.read(request);
        if matches!(part, Part::Data(_)) {
            // A client may take long to send what a `def` handler reads.
            self.execution.entered();
        }
        Ok(part)
    }

    async fn wait(&mut self, request: u64) -> wasmtime::Result<()> {
        self.streams.ready(request).await;
        self.execution.turn().await;
        Ok(())
    }

    fn news(&mut self) -> wasmtime::Result<Vec<Progress>> {
        Ok(self.streams.take_news())
    }
}

impl sockets::Host for HostState {
    fn open(&mut self, request: u64) -> wasmtime::Result<bool> {
        Ok(self.open_socket(request))
    }

    fn send(&mut self, request: u64, binary: bool, data: String) -> wasmtime::Result<Taken> {
        Ok(self.send_message(request, !binary, data))
    }

    fn receive(&mut self, request: u64) -> wasmtime::Result<Message> {
        Ok(self.streams.receive(request))
    }

    fn close(&mut self, request: u64, code: u16, reason: String) -> wasmtime::Result<()> {
        self.close_socket(request, code, &reason);
        Ok(())
    }

    fn sleep(&mut self, request: u64) -> wasmtime::Result<()> {
        self.streams.sleep(request);
        Ok(())
    }

    fn attach(&mut self, request: u64, attachment: String) -> wasmtime::Result<bool> {
        Ok(self.streams.attach(request, attachment))
    }
}

impl topics::Host for HostState {
    fn publish(&mut self, topic: String, kind: String, data: String) -> wasmtime::Result<Published> {
        Ok(self.subscriptions.publish(&topic, kind, data))
    }

    fn subscribe(&mut self, topic: String, after: Option<u64>) -> wasmtime::Result<u64> {
        Ok(self.subscriptions.subscribe(&topic, after))
    }

    fn next(&mut self, subscription: u64) -> wasmtime::Result<Event> {
        Ok(self.subscriptions.next(subscription))
    }

    fn unsubscribe(&mut self, subscription: u64) -> wasmtime::Result<()> {
        self.subscriptions.unsubscribe(subscription);
        Ok(())
    }

    fn join(&mut self, request: u64, topic: String) -> wasmtime::Result<bool> {
        // What is published from here on reaches it, however soon its connection is told.
        let Some(from) = self.subscriptions.start_here(&topic) else { return Ok(false) };
        Ok(self.streams.join(request, topic, from))
    }

    fn leave(&mut self, request: u64, topic: String) -> wasmtime::Result<()> {
        self.streams.leave(request, &topic);
        Ok(())
    }

    fn news(&mut self) -> wasmtime::Result<Vec<u64>> {
        Ok(self.subscriptions.take_news())
    }
}

impl sql::Host for HostState {
    fn begin(
        &mut self,
        request: u64,
        database: String,
        session: u64,
        text: String,
        arguments: String,
    ) -> wasmtime::Result<u64> {
        let request = (request == 0 || self.owns(request)).then_some(request);
        Ok(self.sql.begin(request, (&database, session), text, arguments))
    }

    fn rows(
        &mut self,
        request: u64,
        database: String,
        text: String,
        arguments: String,
    ) -> wasmtime::Result<bool> {
        Ok(self.send_rows(request, &database, text, arguments))
    }

    fn dialect(&mut self, database: String) -> wasmtime::Result<String> {
        Ok(self.sql.dialect(&database).to_owned())
    }

    fn read(&mut self, statement: u64) -> wasmtime::Result<SqlPart> {
        Ok(self.sql.read(statement))
    }

    fn close(&mut self, statement: u64) -> wasmtime::Result<()> {
        self.sql.close(statement);
        Ok(())
    }

    fn session(&mut self, request: u64, database: String, writes: bool) -> wasmtime::Result<u64> {
        let is_known = request == 0 || self.owns(request);
        Ok(if is_known { self.sql.session(request, &database, writes) } else { 0 })
    }

    fn release(&mut self, session: u64) -> wasmtime::Result<()> {
        self.sql.release(session);
        Ok(())
    }

    async fn wait(&mut self, statement: u64) -> wasmtime::Result<()> {
        self.sql.changed(statement).await;
        self.execution.turn().await;
        Ok(())
    }

    fn news(&mut self) -> wasmtime::Result<Vec<u64>> {
        Ok(self.sql.take_news())
    }
}

impl tcp::Host for HostState {
    fn connect(&mut self, host: String, port: u16) -> wasmtime::Result<u64> {
        Ok(self.tcp.connect(host, port))
    }

    fn start_tls(&mut self, connection: u64, options: String) -> wasmtime::Result<()> {
        self.tcp.start_tls(connection, &options);
        Ok(())
    }

    fn opened(&mut self, connection: u64) -> wasmtime::Result<tcp::State> {
        Ok(self.tcp.opened(connection))
    }

    fn certificate(&mut self, connection: u64) -> wasmtime::Result<Vec<u8>> {
        Ok(self.tcp.certificate(connection))
    }

    fn read(&mut self, connection: u64, most: u32) -> wasmtime::Result<tcp::Part> {
        Ok(self.tcp.read(connection, most))
    }

    fn write(&mut self, connection: u64, data: String) -> wasmtime::Result<u32> {
        Ok(self.tcp.write(connection, data))
    }

    fn shutdown(&mut self, connection: u64) -> wasmtime::Result<()> {
        self.tcp.shutdown(connection);
        Ok(())
    }

    fn close(&mut self, connection: u64) -> wasmtime::Result<()> {
        self.tcp.close(connection);
        Ok(())
    }

    async fn wait(&mut self, connection: u64, most: Option<u32>) -> wasmtime::Result<()> {
        self.tcp.changed(connection, most).await;
        self.execution.turn().await;
        Ok(())
    }

    fn news(&mut self) -> wasmtime::Result<Vec<u64>> {
        Ok(self.tcp.take_news())
    }
}

impl kv::Host for HostState {
    fn call(
        &mut self,
        request: u64,
        store: String,
        command: String,
        arguments: String,
    ) -> wasmtime::Result<kv::Outcome> {
        let request = (request == 0 || self.owns(request)).then_some(request);
        Ok(self.kv.call(request, &store, &command, arguments))
    }

    fn read(&mut self, command: u64) -> wasmtime::Result<kv::Outcome> {
        Ok(self.kv.read(command))
    }

    fn close(&mut self, command: u64) -> wasmtime::Result<()> {
        self.kv.close(command);
        Ok(())
    }

    async fn wait(&mut self, command: u64) -> wasmtime::Result<()> {
        self.kv.changed(command).await;
        self.execution.turn().await;
        Ok(())
    }

    fn news(&mut self) -> wasmtime::Result<Vec<u64>> {
        Ok(self.kv.take_news())
    }
}
