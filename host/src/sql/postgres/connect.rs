//! Connects to a Postgres server, and asks one to cancel a statement.

use crate::sql::postgres::explain::explained;
use crate::sql::postgres::meter::{Metered, State};
use crate::sql::postgres::terms::Terms;
use crate::util::client_tls;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::either::Either;

/// The port, if the URL does not say.
const PORT: u16 = 5432;

type Below = Metered<Either<TcpStream, UnixStream>>;
type Above = Metered<<MakeRustlsConnect as MakeTlsConnect<Below>>::Stream>;

/// A connection that was made.
pub struct Connected {
    pub client: Client,
    /// Moves its bytes; it ends with the connection.
    pub task: JoinHandle<()>,
    pub state: Arc<State>,
}

/// How to connect: what a database's connections share.
pub struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
}

impl Connector {
    /// The error is a sentence.
    pub fn new(terms: &Terms) -> Result<Self, String> {
        Ok(Self {
            config: terms.config.clone(),
            tls: MakeRustlsConnect::new(client_tls::config(&terms.trust, terms.names)?),
        })
    }

    /// Try the servers of the URL in turn. The error is for the log.
    pub async fn connect(&self) -> Result<Connected, String> {
        let mut why = "there is no server".to_owned();
        for index in 0..self.config.get_hosts().len() {
            let attempt = self.connect_to(index);
            let limit = self.config.get_connect_timeout().copied().unwrap_or_default();
            match tokio::time::timeout(limit, attempt).await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(error)) => why = format!("{}: {error}", self.address(index)),
                Err(_) => why = format!("{}: connecting took too long", self.address(index)),
            }
        }
        Err(why)
    }

    /// A server, for the log.
    fn address(&self, index: usize) -> String {
        match &self.config.get_hosts()[index] {
            Host::Tcp(name) => format!("{name}:{}", self.port(index)),
            Host::Unix(folder) => folder.display().to_string(),
        }
    }

    fn port(&self, index: usize) -> u16 {
        let ports = self.config.get_ports();
        ports.get(index).or(ports.first()).copied().unwrap_or(PORT)
    }

    async fn connect_to(&self, index: usize) -> Result<Connected, String> {
        let (stream, tls, config) = self.stream(index).await?;
        let state = tls.state.clone();
        let (client, connection) =
            config.connect_raw(stream, tls).await.map_err(|error| explained(&error))?;
        // Why it has ended is what the next statement is told.
        let task = tokio::spawn(async move { drop(connection.await) });
        Ok(Connected { client, task, state })
    }

    /// Ask the server to cancel what a connection is doing.
    pub async fn cancel(&self, token: CancelToken) {
        // The connection does not say to which of the servers it is; others do not know the token.
        for index in 0..self.config.get_hosts().len() {
            if let Ok((stream, tls, _)) = self.stream(index).await {
                let _ = token.cancel_query_raw(stream, tls).await;
            }
        }
    }

    async fn stream(&self, index: usize) -> Result<(Below, LayerTls, Config), String> {
        let port = self.port(index);
        let mut config = self.config.clone();
        let (stream, name) = match &self.config.get_hosts()[index] {
            Host::Tcp(name) => {
                let stream = TcpStream::connect((&**name, port)).await.map_err(|error| error.to_string())?;
                stream.set_nodelay(true).map_err(|error| error.to_string())?;
                (Either::Left(stream), &**name)
            }
            Host::Unix(folder) => {
                let socket = folder.join(format!(".s.PGSQL.{port}"));
                let stream = UnixStream::connect(socket).await.map_err(|error| error.to_string())?;
                // Nobody else can read along.
                config.ssl_mode(SslMode::Disable);
                (Either::Right(stream), "localhost")
            }
        };
        let state = Arc::new(State::default());
        let asks = config.get_ssl_mode() != SslMode::Disable;
        let mut tls = self.tls.clone();
        let connect = MakeTlsConnect::<Below>::make_tls_connect(&mut tls, name);
        let connect = connect.map_err(|error| error.to_string())?;
        Ok((Metered::below(stream, state.clone(), asks), LayerTls { connect, state }, config))
    }
}

/// Puts TLS, and the meter above it, on a connection.
struct LayerTls {
    connect: <MakeRustlsConnect as MakeTlsConnect<Below>>::TlsConnect,
    state: Arc<State>,
}

impl TlsConnect<Below> for LayerTls {
    type Stream = Above;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Above>> + Send>>;

    fn connect(self, stream: Below) -> Self::Future {
        self.state.is_encrypted.store(true, Ordering::Relaxed);
        Box::pin(async move { Ok(Metered::above(self.connect.connect(stream).await?, self.state)) })
    }
}
