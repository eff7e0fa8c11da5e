//! Judges in processes of their own, by the addresses that a configuration or a command line names.

use std::sync::Arc;

use tokio::runtime::Handle;
use weighhouse_ask::judges::{JudgeAddress, JudgeDialing};
use weighhouse_seams::{SystemClock, TcpDialer, TlsTrust};
use weighhouse_tasks::judge::JudgeClient;
use weighhouse_tasks::witness::{Encoder, Witness};
use weighhouse_tasks::{References, TaskError};
use weighhouse_types::JudgeTerms;
use weighhouse_validator::remote::RemoteJudges;

/// A client of the judges at these addresses. Dials nobody yet; to be called within a runtime.
pub(crate) fn client(addresses: &[JudgeAddress], terms: &JudgeTerms) -> Result<RemoteJudges, TaskError> {
    let is_elsewhere = addresses.iter().any(|address| matches!(address, JudgeAddress::Tls { .. }));
    let trust = is_elsewhere.then(TlsTrust::of_platform).transpose();
    let trust =
        trust.map_err(|error| TaskError::Judge(format!("the authorities of this machine: {error}")))?;
    let dialing = JudgeDialing { dialer: Arc::new(TcpDialer), clock: Arc::new(SystemClock::new()), trust };
    Ok(RemoteJudges::new(addresses, *terms, &dialing, Handle::current()))
}

/// References of an auditor: recorded words, weights to hold them against, and judges at some addresses, if any.
#[derive(Debug)]
pub(crate) struct AuditReferences<'a> {
    pub(crate) weights: Option<&'a [u8]>,
    pub(crate) judges: &'a [JudgeAddress],
}

impl References for AuditReferences<'_> {
    fn weights(&self) -> Result<Option<Vec<u8>>, TaskError> {
        Ok(self.weights.map(<[u8]>::to_vec))
    }

    fn language(&self) -> Result<Option<Arc<dyn Witness>>, TaskError> {
        Ok(None)
    }

    fn encoder(&self) -> Result<Option<Arc<dyn Encoder>>, TaskError> {
        Ok(None)
    }

    fn judge(&self, terms: &JudgeTerms) -> Result<Option<Arc<dyn JudgeClient>>, TaskError> {
        if self.judges.is_empty() {
            return Ok(None);
        }
        Ok(Some(Arc::new(client(self.judges, terms)?.of_record())))
    }
}
