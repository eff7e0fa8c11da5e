//! The judge of a subnet's folder as a process: started, made to draw, and asked by the validators.

use std::sync::Arc;

use tokio::runtime::Handle;
use weighhouse_ask::judges::{JudgeAddress, JudgeDialing};
use weighhouse_seams::{SystemClock, TcpDialer};
use weighhouse_tasks::judge::JudgeClient;
use weighhouse_tasks::{References, Task, TaskError};
use weighhouse_types::{Digest, JudgeTerms};
use weighhouse_validator::remote::RemoteJudges;

use super::{SubnetError, SubnetFolder, TASK};
use crate::program::{Program, build};
use crate::troubles::{HeardJudge, Troubles};

const JUDGE_MODULE: &str = "weighhouse.judge";
/// The localnet tells of the judge's faults itself.
const JUDGE_OPTIONS: [&str; 1] = ["--quiet"];

/// A judge's process, and the task that pins its files.
#[derive(Debug)]
pub(super) struct RunningJudge {
    pub(super) task_file: String,
    pub(super) digest: Digest,
    pub(super) at_hand: JudgeAtHand,
    _program: Program,
}

impl RunningJudge {
    /// Blocks until the judge has drawn a challenge, the same one twice. To be called within a runtime.
    pub(super) fn start(folder: &SubnetFolder) -> Result<Self, SubnetError> {
        let judge = folder.judge()?;
        let is_crate = judge.join("Cargo.toml").is_file();
        if is_crate {
            // The first build writes Cargo.lock, one of the judge's files.
            build(&judge)?;
        }
        let task_file = folder.pinned()?;
        let program = match is_crate {
            true => Program::built(&judge)?,
            false => Program::python(&folder.python, JUDGE_MODULE, &JUDGE_OPTIONS, &judge)?,
        };
        let (address, runtime) = (program.address().parse()?, Handle::current());
        // What it fails at here is told as the reason for not taking it up.
        let at_hand = JudgeAtHand { address, runtime, troubles: Arc::default() };
        let path = folder.path.join(TASK).display().to_string();
        let task = Task::load(task_file.as_bytes(), &at_hand);
        let task = task.map_err(|source| SubnetError::Task { path, source })?;
        let digest = task.judge_identity().digest.unwrap_or_default();
        // Saved between pin and start: it would run files that the task doesn't pin.
        if program.told["digest"].as_str() != Some(&format!("sha256:{digest}")) {
            return Err(SubnetError::Changed);
        }
        let path = judge.display().to_string();
        let draw =
            || task.challenge(&[0; 32]).map_err(|source| SubnetError::Draw { path: path.clone(), source });
        if draw()? != draw()? {
            return Err(SubnetError::Unsteady { path });
        }
        Ok(Self { task_file, digest, at_hand, _program: program })
    }
}

/// A judge on this machine, whose failures are noted.
#[derive(Clone, Debug)]
pub(super) struct JudgeAtHand {
    address: JudgeAddress,
    runtime: Handle,
    troubles: Arc<Troubles>,
}

impl JudgeAtHand {
    /// The same judge, with its failures noted elsewhere.
    pub(super) fn noted_in(&self, troubles: Arc<Troubles>) -> Self {
        Self { troubles, ..self.clone() }
    }
}

impl References for JudgeAtHand {
    fn judge(&self, terms: &JudgeTerms) -> Result<Option<Arc<dyn JudgeClient>>, TaskError> {
        let clock = Arc::new(SystemClock::new());
        let dialing = JudgeDialing { dialer: Arc::new(TcpDialer), clock, trust: None };
        let addresses = std::slice::from_ref(&self.address);
        let judge = RemoteJudges::new(addresses, *terms, &dialing, self.runtime.clone());
        let judge = judge.failing_at_once();
        let preamble = format!("the judge at {} failed: ", self.address);
        Ok(Some(Arc::new(HeardJudge { judge, preamble, troubles: Arc::clone(&self.troubles) })))
    }
}
