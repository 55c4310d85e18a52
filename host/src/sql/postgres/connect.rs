//! Connects to a Postgres server, and asks one to cancel a statement.

use crate::sql::postgres::explain::explained;
use crate::sql::postgres::meter::{Metered, State};
use crate::sql::postgres::terms::Terms;
use crate::util::client_tls;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::either::Either;

/// The port, if the URL does not say.
const PORT: u16 = 5432;

type Socket = Either<TcpStream, UnixStream>;
type Below = Metered<Socket>;
type Above = Metered<<MakeRustlsConnect as MakeTlsConnect<Below>>::Stream>;

/// A connection that was made.
pub struct Connected {
    pub client: Client,
    /// Moves its bytes.
    pub task: Mover,
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
        let (stream, tls, config) = self.layers(self.socket(index).await?, index)?;
        let state = tls.state.clone();
        let (client, connection) =
            config.connect_raw(stream, tls).await.map_err(|error| explained(&error))?;
        // Why it has ended is what the next statement is told.
        let task = Mover(tokio::spawn(async move { drop(connection.await) }));
        Ok(Connected { client, task, state })
    }

    /// Ask the server to cancel what a connection is doing.
    pub async fn cancel(&self, token: CancelToken) {
        // The connection does not say to which of the servers it is; others do not know the token.
        for index in 0..self.config.get_hosts().len() {
            let Ok((socket, mut twin)) = self.socket(index).await.and_then(twins) else { continue };
            let Ok((stream, tls, _)) = self.layers(socket, index) else { continue };
            let _ = token.cancel_query_raw(stream, tls).await;
            // The server ends it once it has told the other process. Before that, the next statement might be cancelled.
            let mut rest = [0; 64];
            while matches!(twin.read(&mut rest).await, Ok(1..)) {}
        }
    }

    /// End a process of the server that does not let itself be cancelled.
    pub async fn terminate(&self, process: i32) {
        if let Ok(connected) = self.connect().await {
            let _ = connected.client.execute("select pg_terminate_backend($1)", &[&process]).await;
        }
    }

    async fn socket(&self, index: usize) -> Result<Socket, String> {
        let port = self.port(index);
        match &self.config.get_hosts()[index] {
            Host::Tcp(name) => {
                let stream = TcpStream::connect((&**name, port)).await.map_err(|error| error.to_string())?;
                stream.set_nodelay(true).map_err(|error| error.to_string())?;
                Ok(Either::Left(stream))
            }
            Host::Unix(folder) => {
                let socket = folder.join(format!(".s.PGSQL.{port}"));
                UnixStream::connect(socket).await.map(Either::Right).map_err(|error| error.to_string())
            }
        }
    }

    /// What lies on a socket, and the settings for it.
    fn layers(&self, socket: Socket, index: usize) -> Result<(Below, LayerTls, Config), String> {
        let mut config = self.config.clone();
        let name = match &self.config.get_hosts()[index] {
            Host::Tcp(name) => &**name,
            Host::Unix(_) => {
                // Nobody else can read along.
                config.ssl_mode(SslMode::Disable);
                "localhost"
            }
        };
        let state = Arc::new(State::default());
        let asks = config.get_ssl_mode() != SslMode::Disable;
        let mut tls = self.tls.clone();
        let connect = MakeTlsConnect::<Below>::make_tls_connect(&mut tls, name);
        let connect = connect.map_err(|error| error.to_string())?;
        Ok((Metered::below(socket, state.clone(), asks), LayerTls { connect, state }, config))
    }
}

/// A socket twice, of which the second tells when the server has ended it.
fn twins(socket: Socket) -> Result<(Socket, Socket), String> {
    let made = || -> io::Result<_> {
        Ok(match socket {
            Either::Left(stream) => {
                let stream = stream.into_std()?;
                let twin = TcpStream::from_std(stream.try_clone()?)?;
                (Either::Left(TcpStream::from_std(stream)?), Either::Left(twin))
            }
            Either::Right(stream) => {
                let stream = stream.into_std()?;
                let twin = UnixStream::from_std(stream.try_clone()?)?;
                (Either::Right(UnixStream::from_std(stream)?), Either::Right(twin))
            }
        })
    };
    made().map_err(|error| error.to_string())
}

/// The task that moves the bytes of a connection. It ends with this, also when nobody has got the connection.
pub struct Mover(JoinHandle<()>);

impl Mover {
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.0.abort();
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
