//! A server that is not ours, asked as a miner in front of it would.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time::timeout;
use weighhouse_ask::completions::CompletionServer;
use weighhouse_miner::backend::{Oip, OpenAi, digest_of_name};
use weighhouse_miner::engine::{Generator, Paces, Upstream};
use weighhouse_seams::SystemClock;
use weighhouse_tasks::calibrate::CompletionSource;
use weighhouse_types::text::{TextAnswer, TextRequest};

/// Requests that are under way at once, for the server to batch.
const IN_FLIGHT: usize = 16;
/// For one completion, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(5);

/// `openai:http://HOST:PORT#MODEL` or `oip:http://HOST:PORT#MODEL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedServer {
    protocol: Protocol,
    url: http::Uri,
    model: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    OpenAi,
    Oip,
}

impl FromStr for NamedServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "not openai:http://HOST:PORT#MODEL or oip:http://HOST:PORT#MODEL".to_owned();
        let (protocol, rest) = text.split_once(':').ok_or_else(form)?;
        let (url, model) = rest.split_once('#').ok_or_else(form)?;
        let protocol = match protocol {
            "openai" => Protocol::OpenAi,
            "oip" => Protocol::Oip,
            _ => return Err(form()),
        };
        let url: http::Uri = url.parse().map_err(|_| form())?;
        if url.scheme_str() != Some("http") || url.host().is_none() || model.is_empty() {
            return Err(form());
        }
        Ok(Self { protocol, url, model: model.to_owned() })
    }
}

impl NamedServer {
    /// Must be called within a runtime.
    fn generator(&self) -> Arc<dyn Generator> {
        let (url, model) = (self.url.clone(), self.model.clone());
        let digest = digest_of_name(&model);
        match self.protocol {
            Protocol::OpenAi => {
                let server = CompletionServer { url, model, key: None, connect_timeout: CONNECT };
                Arc::new(OpenAi::new(server, digest))
            }
            Protocol::Oip => {
                let paces = Paces { first: PATIENCE, next: PATIENCE, whole: PATIENCE };
                let upstream =
                    Upstream { url, model, connect_timeout: CONNECT, answer_timeout: PATIENCE, paces };
                Arc::new(Oip::new(upstream, digest, Arc::new(SystemClock::new())))
            }
        }
    }
}

impl CompletionSource for NamedServer {
    fn complete(&self, requests: Vec<TextRequest>) -> Result<Vec<TextAnswer>, String> {
        // A runtime of its own: calibration runs on a thread of rayon's, outside the command's.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(async {
            let generator = self.generator();
            let answers = requests.into_iter().map(|request| whole(generator.as_ref(), request));
            // In the requests' order, which `buffer_unordered` wouldn't keep.
            stream::iter(answers).buffered(IN_FLIGHT).try_collect().await
        })
    }
}

async fn whole(generator: &dyn Generator, request: TextRequest) -> Result<TextAnswer, String> {
    let mut pieces = generator.generate(request);
    let mut whole = TextAnswer::default();
    let reading = async {
        while let Some(piece) = pieces.next().await {
            whole.append(piece.map_err(|error| error.to_string())?);
        }
        Ok(())
    };
    match timeout(PATIENCE, reading).await {
        Ok(read) => read.map(|()| whole),
        Err(_) => Err(format!("no completion in {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_protocol_address_and_model() {
        let named: NamedServer = "openai:http://127.0.0.1:8000/v1#Qwen/Qwen2.5-7B".parse().expect("named");
        assert_eq!((named.protocol, named.model.as_str()), (Protocol::OpenAi, "Qwen/Qwen2.5-7B"));
        assert_eq!(named.url.to_string(), "http://127.0.0.1:8000/v1");
        for wrong in [
            "http://127.0.0.1:1#m",
            "oip:127.0.0.1:1#m",
            "oip:http://h:1",
            "oip:https://h:1#m",
            "oip:http://h#",
        ] {
            assert!(wrong.parse::<NamedServer>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_server_that_is_not_there_is_an_error() {
        let named: NamedServer = "openai:http://127.0.0.1:1#m".parse().expect("named");
        let error = named.complete(vec![TextRequest::greedy("x", 1)]).expect_err("nobody");
        assert!(!error.is_empty(), "{error}");
    }
}
