//! HTTP: sockets, connections, heads, bodies and responses. [`pipeline`] is the whole path of a request.

pub mod arguments;
pub mod body;
pub mod calling;
pub mod connection;
pub mod disposition;
pub mod farewell;
pub mod file_body;
pub mod head;
pub mod http1;
pub mod http2;
pub mod io;
pub mod pipeline;
pub mod protocol;
pub mod range;
pub mod request_stream;
pub mod response;
pub mod response_body;
pub mod seen_request;
pub mod server;
pub mod sleeping;
pub mod socket;
pub mod stream_body;
pub mod stream_record;
mod table;
pub mod tls;
pub mod upgrade;
