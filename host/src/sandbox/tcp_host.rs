//! The connections of one instance, by the numbers that its guest knows them by.

use crate::codec::latin1::latin1_bytes;
use crate::config::egress::Grants;
use crate::quota::connections::ConnectionQuota;
use crate::sandbox::bindings::bolt::host::tcp::{Part as WitPart, State as WitState};
use crate::sandbox::connection::{Connection, Part, Phase, Target, Told};
use crate::sandbox::connection_problem::{Kind, TcpProblem};
use crate::sandbox::connection_tls::TlsOptions;
use crate::sandbox::news::{News, Progress};
use crate::sandbox::timer::GuestTimer;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Connections of an instance.
const MOST: usize = 100;
/// The number of every connection beyond that.
const REFUSED: u64 = 0;
/// Longest name of a host, in bytes.
const LONGEST_NAME: usize = 255;

pub struct Tcp {
    grants: Arc<Grants>,
    quota: ConnectionQuota,
    open: HashMap<u64, Open>,
    last: u64,
    news: Arc<News>,
    any: Arc<Notify>,
}

enum Open {
    Connection(Connection),
    /// Nothing was begun.
    Failed(TcpProblem),
}

impl Tcp {
    /// `timer` rings when a connection has progressed.
    pub fn new(grants: Arc<Grants>, quota: ConnectionQuota, timer: Arc<GuestTimer>) -> Self {
        let (news, any) = (News::new(timer), Arc::default());
        Self { grants, quota, open: HashMap::new(), last: REFUSED, news, any }
    }

    pub fn connect(&mut self, host: String, port: u16) -> u64 {
        if self.open.len() >= MOST {
            return REFUSED;
        }
        self.last += 1;
        let open = if host.is_empty() || host.len() > LONGEST_NAME {
            Open::Failed(TcpProblem::new(Kind::Name, "this is no name of a host"))
        } else {
            let progress = Progress::new(self.last, self.news.clone());
            let told = Arc::new(Told { progress, changed: Notify::new(), any: self.any.clone() });
            let (grants, quota) = (self.grants.clone(), self.quota.clone());
            Open::Connection(Connection::begin(Target { host, port, grants, quota }, told))
        };
        self.open.insert(self.last, open);
        self.last
    }

    fn problem(number: u64) -> TcpProblem {
        if number == REFUSED {
            let told = format!("this interpreter has {MOST} connections open");
            return TcpProblem::new(Kind::Limit, told);
        }
        TcpProblem::new(Kind::Closed, "there is no such connection")
    }

    pub fn start_tls(&mut self, number: u64, options: &str) {
        let Some(open) = self.open.get_mut(&number) else { return };
        let Open::Connection(connection) = open else { return };
        match TlsOptions::parse(options) {
            Ok(options) => connection.start_tls(options),
            Err(problem) => *open = Open::Failed(problem),
        }
    }

    pub fn opened(&self, number: u64) -> WitState {
        let phase = match self.open.get(&number) {
            Some(Open::Connection(connection)) => connection.phase(),
            Some(Open::Failed(problem)) => Phase::Failed(problem.clone()),
            None => Phase::Failed(Self::problem(number)),
        };
        match phase {
            Phase::Pending => WitState::Pending,
            Phase::Ready(ready) => WitState::Ready((ready.peer, ready.local, ready.tls, ready.protocol)),
            Phase::Failed(problem) => WitState::Failed(problem.json()),
        }
    }

    pub fn certificate(&self, number: u64) -> Vec<u8> {
        match self.open.get(&number) {
            Some(Open::Connection(connection)) => match connection.phase() {
                Phase::Ready(ready) => ready.certificate,
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    pub fn read(&self, number: u64, most: u32) -> WitPart {
        match self.open.get(&number) {
            Some(Open::Connection(connection)) => match connection.read(most as usize) {
                Part::Pending => WitPart::Pending,
                Part::Data(data) => WitPart::Data(data),
                Part::End => WitPart::End,
                Part::Failed(problem) => WitPart::Failed(problem.json()),
            },
            Some(Open::Failed(problem)) => WitPart::Failed(problem.json()),
            None => WitPart::Failed(Self::problem(number).json()),
        }
    }

    /// How many bytes were taken.
    pub fn write(&self, number: u64, data: String) -> u32 {
        let Some(Open::Connection(connection)) = self.open.get(&number) else { return 0 };
        let Some(data) = latin1_bytes(data) else { return 0 };
        u32::try_from(connection.write(&data)).unwrap_or(0)
    }

    pub fn shutdown(&self, number: u64) {
        if let Some(Open::Connection(connection)) = self.open.get(&number) {
            connection.shutdown();
        }
    }

    pub fn close(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// Return when this connection has progressed, any of them for 0, or so many milliseconds have passed.
    pub async fn changed(&self, number: u64, most: Option<u32>) {
        let changed = async {
            match self.open.get(&number) {
                Some(Open::Connection(connection)) => connection.told().changed.notified().await,
                None if number == REFUSED => self.any.notified().await,
                _ => {}
            }
        };
        match most {
            Some(most) => {
                let _ = tokio::time::timeout(Duration::from_millis(most.into()), changed).await;
            }
            None => changed.await,
        }
    }

    pub fn take_news(&self) -> Vec<u64> {
        self.news.take()
    }
}
