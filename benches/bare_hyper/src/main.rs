//! The ceiling for the benchmarks: hyper alone, answering with precomputed bytes.
//!
//! `bare_hyper --port 8000 --threads 2`: each thread has its own runtime and listener.

use std::{error::Error, fmt::Write, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};

const HELLO: &[u8] = br#"{"message":"hello","n":1}"#;
const ITEM: &[u8] = br#"{"id":42,"q":"abc","limit":10}"#;
const ORDER: &[u8] = br#"{"id":1001,"total":537.0,"lines":8}"#;
const SLEPT: &[u8] = br#"{"slept":10}"#;

/// The same list that every bench app encodes for each request, encoded once.
fn rows() -> Bytes {
    let mut text = String::from("[");
    for i in 0..100 {
        let (quantity, active) = (i * 3, i % 2 == 0);
        let _ = write!(text, r#"{{"id":{i},"name":"item number {i:03}","#);
        let _ = write!(text, r#""price":{i}.5,"quantity":{quantity},"#);
        let _ = write!(text, r#""active":{active},"tags":["red","large"]}},"#);
    }
    text.pop();
    Bytes::from(text + "]")
}

async fn answer(request: Request<Incoming>, rows: Bytes) -> hyper::Result<Response<Full<Bytes>>> {
    let (status, body) = match request.uri().path() {
        "/" | "/async" => (StatusCode::OK, Bytes::from_static(HELLO)),
        "/items/42" => (StatusCode::OK, Bytes::from_static(ITEM)),
        "/rows" => (StatusCode::OK, rows),
        "/orders" => {
            // Every other server has to read the body too.
            request.into_body().collect().await?;
            (StatusCode::OK, Bytes::from_static(ORDER))
        }
        "/sleep" => {
            tokio::time::sleep(Duration::from_millis(10)).await;
            (StatusCode::OK, Bytes::from_static(SLEPT))
        }
        _ => (StatusCode::NOT_FOUND, Bytes::from_static(b"null")),
    };
    let json = HeaderValue::from_static("application/json");
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

fn listener(port: u16) -> std::io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

#[tokio::main(flavor = "current_thread")]
async fn serve(listener: std::net::TcpListener, rows: Bytes) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let rows = rows.clone();
        let service = service_fn(move |request| answer(request, rows.clone()));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new());
        tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut port, mut threads) = (8000_u16, 2_usize);
    let mut args = std::env::args().skip(1);
    while let (Some(name), Some(value)) = (args.next(), args.next()) {
        match name.as_str() {
            "--port" => port = value.parse()?,
            "--threads" => threads = value.parse()?,
            _ => return Err(format!("{name} is neither --port nor --threads").into()),
        }
    }
    let mut handles = Vec::new();
    for _ in 0..threads {
        let listener = listener(port)?;
        handles.push(std::thread::spawn(move || serve(listener, rows())));
    }
    println!("listening on http://127.0.0.1:{port}");
    for handle in handles {
        handle.join().map_err(|_| "a server thread panicked")??;
    }
    Ok(())
}
