//! Calls to a miner whose failures keep their gRPC status: whole answers, and streamed ones.

mod error;
mod messages;
mod stream;
mod unary;

pub use error::CallError;
pub(crate) use messages::Messages;
pub use stream::AnswerStream;
pub use unary::call;
