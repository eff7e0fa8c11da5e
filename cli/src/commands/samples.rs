//! Figures of a running role, read from its own Prometheus endpoint.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use weighhouse_seams::{ClockExt as _, Dialer as _, SystemClock, TcpDialer};

use crate::failure::{Exit, Failure};

const PATIENCE: Duration = Duration::from_secs(5);
const PAGE_BYTES_MAX: u64 = 4 << 20;

/// Names, labels included, and values.
#[derive(Debug)]
pub(crate) struct Samples(Vec<(String, f64)>);

impl Samples {
    /// Asks the role's endpoint; `role` names it in errors.
    pub(crate) async fn ask(role: &str, listen: Option<SocketAddr>) -> Result<Self, Failure> {
        let Some(listen) = listen else {
            return Err(Failure::config(format!(
                "metrics.listen is absent, so the {role} can't be asked: set it and restart"
            )));
        };
        let asked = SystemClock::new().timeout(PATIENCE, page(listen)).await;
        let page = asked.map_err(|late| late.to_string()).and_then(|page| page.map_err(|e| e.to_string()));
        let page = page.map_err(|error| {
            Failure::new(
                Exit::Unavailable,
                format!("no {role} answers at {listen} (metrics.listen): {error}; is it running?"),
            )
        })?;
        Ok(Self::parse(&page))
    }

    pub(crate) fn parse(page: &str) -> Self {
        let samples = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            // From the right: values of labels may hold spaces.
            let (name, value) = line.trim().rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// The value of one name, summed over its labels; `None` where nothing was counted yet.
    pub(crate) fn total(&self, name: &str) -> Option<f64> {
        let is_named = |sample: &str| {
            // Either the end or labels must follow, or a longer name with this beginning would be summed too.
            sample.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        };
        let values = self.0.iter().filter(|(sample, _)| is_named(sample)).map(|(_, value)| *value);
        values.reduce(|sum, value| sum + value)
    }

    /// The values of one name, summed by one of its labels; values of labels that hold quotes are cut there.
    pub(crate) fn sums(&self, name: &str, label: &str) -> BTreeMap<&str, u64> {
        let (start, key) = (format!("{name}{{"), format!("{label}=\""));
        let mut sums = BTreeMap::new();
        for (sample, value) in &self.0 {
            let Some(labels) = sample.strip_prefix(&start) else { continue };
            let named = labels.split(',').find_map(|part| part.strip_prefix(&key)?.split('"').next());
            named.into_iter().for_each(|named| *sums.entry(named).or_default() += *value as u64);
        }
        sums
    }

    /// The values of one name by that of its label, where it has this one alone.
    pub(crate) fn by_label(&self, name: &str, label: &str) -> Vec<(&str, f64)> {
        let start = format!("{name}{{{label}=\"");
        let samples = self.0.iter().filter_map(|(sample, value)| {
            let inner = sample.strip_prefix(&start)?.strip_suffix("\"}")?;
            Some((inner, *value))
        });
        samples.collect()
    }
}

async fn page(listen: SocketAddr) -> std::io::Result<String> {
    match get(listen, "/metrics").await? {
        Answer { status: 200, body } => Ok(body),
        _ => Err(std::io::Error::other("what answers there serves no metrics")),
    }
}

/// What a role's port answers.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// HTTP/1.0, so that the answer ends with the connection.
pub(crate) async fn get(listen: SocketAddr, path: &str) -> std::io::Result<Answer> {
    let mut stream = TcpDialer.dial(listen).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {listen}\r\n\r\n").as_bytes()).await?;
    let mut page = String::new();
    stream.take(PAGE_BYTES_MAX).read_to_string(&mut page).await?;
    let answer = page.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, body: body.to_owned() })
    });
    answer.ok_or_else(|| std::io::Error::other("what answers there speaks no HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_one_name_are_summed() {
        let page = "# HELP a_total what\na_total{by=\"x\"} 2\na_total{by=\"y z\"} 3\na_total_other 9\nb 7\n";
        let samples = Samples::parse(page);
        assert_eq!(samples.total("a_total"), Some(5.0));
        assert_eq!(samples.total("b"), Some(7.0));
        assert_eq!(samples.total("c"), None);
        assert_eq!(samples.by_label("a_total", "by"), [("x", 2.0), ("y z", 3.0)]);
        assert!(samples.by_label("b", "by").is_empty());
        let samples =
            Samples::parse("c{x=\"1\",y=\"p\"} 2\nc{y=\"p\",x=\"2\"} 3\nc{y=\"q\"} 1\ncc{y=\"q\"} 9\n");
        assert_eq!(samples.sums("c", "y"), BTreeMap::from([("p", 5), ("q", 1)]));
    }

    #[tokio::test]
    async fn a_role_that_is_not_there_is_named_with_the_fix() {
        let error = Samples::ask("miner", None).await.expect_err("no address");
        assert!(error.to_string().contains("set it and restart"), "{error}");
        let listener = weighhouse_seams::TcpBound::bind(([127, 0, 0, 1], 0).into()).await.expect("bound");
        let free = weighhouse_seams::Listener::local_addr(&listener);
        drop(listener);
        let error = Samples::ask("miner", Some(free)).await.expect_err("nobody");
        assert!(error.to_string().contains("is it running?"), "{error}");
    }
}
