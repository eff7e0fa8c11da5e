//! Judges outside, as a validator of ours meets them: real processes, at a port and at a socket, asked by the Rust client;
//! and the folders that `weighhouse init subnet` writes.

mod folder;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use weighhouse_ask::judges::{JudgeDialing, JudgeError, JudgePool};
use weighhouse_seams::{SystemClock, TcpDialer};
use weighhouse_types::{
    Datatype, Digest, DrawSeed, DrawnChallenge, InferAnswer, JudgeAttempt, JudgeTerms, LaterChallenge, Mark,
    Outcome, Tensor,
};

use super::{Running, Tally, environment, root};

const PACKAGES: [&str; 4] = ["grpcio", "numpy", "protobuf", "pytest"];
const TASK: Digest = Digest([7; 32]);
const ITEMS: u32 = 4;
/// Questions of one round: more than one call may hold.
const QUESTIONS: u8 = 150;

/// Runs the suite.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("judge");
    let python = environment("judge", &PACKAGES)?;
    let folder = tempfile::tempdir()?;
    let file = root().join("python/tests/judges.py").canonicalize()?;
    let start = |class: &str, listen: &str| Judge::start(&python, &file, class, listen);
    let socket = format!("unix:{}", folder.path().join("judge.sock").display());
    let runtime = tokio::runtime::Runtime::new()?;
    tally.check("a round is drawn and judged by two judges", || {
        let judges = [start("Doubling", "127.0.0.1:0")?, start("Doubling", &socket)?];
        runtime.block_on(doubling(&judges))
    });
    tally.check("answers are judged together, and alike ones named", || {
        let judge = start("Ranking", "127.0.0.1:0")?;
        runtime.block_on(ranking(&judge))
    });
    tally.check("an answer is measured before it is judged", || {
        let judge = start("Measuring", "127.0.0.1:0")?;
        runtime.block_on(measuring(&judge))
    });
    tally.check("two exchanges, and truth two epochs later", || {
        let judge = start("Sealed", "127.0.0.1:0")?;
        runtime.block_on(sealed(&judge))
    });
    tally.check("a judge that was killed is away, and no miner's fault", || {
        let judge = start("Doubling", "127.0.0.1:0")?;
        runtime.block_on(killed(judge))
    });
    super::guests::check(&mut tally, &python)?;
    folder::checks(&mut tally, &python)?;
    tally.finish()
}

/// A Python process that judges.
struct Judge {
    _process: Running,
    address: String,
    class: String,
    digest: Digest,
}

impl Judge {
    fn start(python: &Path, file: &Path, class: &str, listen: &str) -> anyhow::Result<Self> {
        let process = Command::new(python)
            .args(["-m", "weighhouse.judge", "--json", "--class", class, "--listen", listen])
            .arg(file)
            .env("PYTHONPATH", root().join("python/python"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("running python")?;
        let mut process = Running(process);
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().context("piped")?).read_line(&mut line)?;
        let told: serde_json::Value = serde_json::from_str(&line).context("the judge's first line")?;
        let text = |key: &str| told[key].as_str().map(ToOwned::to_owned).with_context(|| format!("no {key}"));
        let digest = text("digest")?.trim_start_matches("sha256:").parse()?;
        let (address, class) = (text("address")?, class.to_owned());
        Ok(Self { _process: process, address, class, digest })
    }
}

fn pool(judges: &[Judge]) -> anyhow::Result<JudgePool> {
    let addresses: Vec<_> = judges.iter().map(|judge| judge.address.parse()).collect::<Result<_, _>>()?;
    let first = judges.first().context("a judge")?;
    let terms = JudgeTerms {
        task: TASK,
        digest: first.digest,
        version: 1,
        testifies: first.class == "Measuring",
        together: first.class == "Ranking",
        resolves: first.class == "Sealed",
        exchanges: if first.class == "Sealed" { 2 } else { 1 },
        deadline: Duration::from_secs(20),
        batch_max: 64,
        message_bytes_max: 16 << 20,
    };
    let clock = Arc::new(SystemClock::default());
    Ok(JudgePool::new(&addresses, terms, &JudgeDialing { dialer: Arc::new(TcpDialer), clock, trust: None }))
}

fn seeds(count: u8) -> Vec<DrawSeed> {
    (0..count).map(|first| DrawSeed { seed: [first; 32], answers: vec![] }).collect()
}

fn outputs(tensors: Vec<Tensor>) -> InferAnswer {
    InferAnswer { model: "m".into(), version: "1".into(), id: String::new(), outputs: tensors }
}

fn floats(values: impl IntoIterator<Item = f32>) -> anyhow::Result<Tensor> {
    let data: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
    Ok(Tensor::new("y".into(), Datatype::Fp32, vec![data.len() as u64 / 4], data)?)
}

fn asked(challenge: &DrawnChallenge) -> impl Iterator<Item = f32> + '_ {
    let x = challenge.question.inputs.iter().find(|tensor| tensor.name() == "x");
    let data = x.map_or(&[][..], Tensor::data);
    data.chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn attempt(challenge: DrawnChallenge, answers: Vec<InferAnswer>) -> JudgeAttempt {
    JudgeAttempt { challenge, answers, testimony: vec![] }
}

async fn doubling(judges: &[Judge]) -> anyhow::Result<()> {
    let both = pool(judges)?;
    let drawn = both.draw(ITEMS, seeds(QUESTIONS)).await?;
    ensure!(drawn == pool(&judges[1..])?.draw(ITEMS, seeds(QUESTIONS)).await?, "one judge draws otherwise");
    let mut attempts = Vec::new();
    for (at, challenge) in drawn.into_iter().enumerate() {
        // Every third answer is wrong, every third of another form.
        let tensor = match at % 3 {
            0 => floats(asked(&challenge).map(|x| 2.0 * x))?,
            1 => floats(asked(&challenge).map(|x| 2.0 * x + 0.5))?,
            _ => floats(asked(&challenge).map(|_| f32::NAN))?,
        };
        attempts.push(attempt(challenge, vec![outputs(vec![tensor])]));
    }
    for (at, verdict) in both.judge(attempts).await?.iter().enumerate() {
        let (mark, outcome) = match at % 3 {
            0 => (Mark::MAX, Outcome::Accepted),
            1 => (Mark::ZERO, Outcome::Wrong),
            _ => (Mark::ZERO, Outcome::Malformed),
        };
        ensure!(verdict.mark == mark && verdict.reasons[0].outcome() == outcome, "answer {at}: {verdict:?}");
    }
    Ok(())
}

async fn killed(judge: Judge) -> anyhow::Result<()> {
    let pool = pool(std::slice::from_ref(&judge))?;
    pool.describe().await?;
    // `Running` kills its process when dropped.
    drop(judge);
    let told = pool.describe().await;
    ensure!(matches!(told, Err(JudgeError::Unreachable { .. } | JudgeError::Failed { .. })), "{told:?}");
    Ok(())
}

async fn ranking(judge: &Judge) -> anyhow::Result<()> {
    let pool = pool(std::slice::from_ref(judge))?;
    ensure!(pool.describe().await?.together, "the judge doesn't say that it judges together");
    let challenge = pool.draw(ITEMS, seeds(1)).await?.pop().context("a challenge")?;
    let answer = |off: f32| anyhow::Ok(outputs(vec![floats(asked(&challenge).map(|x| 2.0 * x + off))?]));
    let answers = [answer(0.5)?, answer(0.0)?, answer(f32::NAN)?, answer(0.5)?];
    let attempts = answers.into_iter().map(|it| attempt(challenge.clone(), vec![it])).collect();
    let joint = pool.judge_together(attempts).await?;
    let outcomes: Vec<_> = joint.verdicts.iter().map(|verdict| verdict.reasons[0].outcome()).collect();
    let expected = [Outcome::Wrong, Outcome::Accepted, Outcome::Malformed, Outcome::Wrong];
    ensure!(outcomes == expected && joint.alike == [[0, 3]], "{joint:?}");
    Ok(())
}

async fn measuring(judge: &Judge) -> anyhow::Result<()> {
    let pool = pool(std::slice::from_ref(judge))?;
    let challenge = pool.draw(ITEMS, seeds(1)).await?.pop().context("a challenge")?;
    let text = [&5_u32.to_le_bytes()[..], b"five!"].concat();
    let text = Tensor::new("text".into(), Datatype::Bytes, vec![1], text)?;
    let mut asked = attempt(challenge, vec![outputs(vec![text])]);
    asked.testimony = pool.testify(vec![asked.clone()]).await?.pop().context("a testimony")?;
    let verdict = pool.judge(vec![asked]).await?.pop().context("a verdict")?;
    ensure!(verdict.mark.billionths() == 500_000_000, "{verdict:?}");
    Ok(())
}

async fn sealed(judge: &Judge) -> anyhow::Result<()> {
    let pool = pool(std::slice::from_ref(judge))?;
    ensure!(pool.describe().await?.exchanges == 2, "the judge doesn't say that it asks twice");
    let first = pool.draw(ITEMS, seeds(1)).await?.pop().context("a challenge")?;
    let y = floats(asked(&first).map(|x| 2.0 * x))?;
    let seal = [&(y.data().len() as u32).to_le_bytes()[..], y.data()].concat();
    let seal = outputs(vec![Tensor::new("seal".into(), Datatype::Bytes, vec![1], seal)?]);
    let next = DrawSeed { seed: [0; 32], answers: vec![seal.clone()] };
    let second = pool.draw(ITEMS, vec![next]).await?.pop().context("a second question")?;
    ensure!(second.question.inputs.len() == 2, "the second question doesn't name the seal");
    let mut attempt = attempt(first.clone(), vec![seal, outputs(vec![y])]);
    let later = LaterChallenge { challenge: first, seed: [8; 32] };
    ensure!(pool.resolve(vec![later.clone()], 1).await? == [None], "the truth is known too early");
    let truth = pool.resolve(vec![later], 2).await?.pop().flatten();
    attempt.testimony = truth.context("no truth after two epochs")?;
    let verdict = pool.judge(vec![attempt]).await?.pop().context("a verdict")?;
    ensure!(verdict.mark == Mark::MAX, "{verdict:?}");
    Ok(())
}
