//! What takes the result of a command.

use crate::kv::command::Outcome;
use crate::sql::problem::SqlProblem;

pub type Reply = Box<dyn FnOnce(Result<Outcome, SqlProblem>) + Send>;
