//! Peers from PyPI against a chain, a miner and proxies of ours, each a process of its own.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::{EVERYTHING, Running, Tally, cargo, environment, npm, proto, root, target, weighhouse};

const PEERS: [&str; 6] = [
    "bittensor==11.3.0",
    "openai==3.57.0",
    "tritonclient[grpc]==2.73.0",
    "numpy",
    "grpcio-health-checking",
    "grpcio-reflection",
];
const PASSWORD: &str = "interop password";
const GATEWAY_KEY: &str = "sk-interop";
/// A chat template: a line for each message.
const TEMPLATE: &str =
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:";
/// A new validator has its permit after the next epoch; that and a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run() -> anyhow::Result<()> {
    let mut tally = Tally::new("interop");
    if Command::new("python3").arg("--version").output().is_err() {
        tally.skip("everything", "there is no python3 on this machine");
        return tally.finish();
    }
    let python = environment("peers", &PEERS)?;
    let binary = weighhouse()?;
    let scratch = tempfile::tempdir()?;
    let net = Net::start(&binary, scratch.path())?;
    let mut output = net.python(&python)?;
    output += &timelocks(&python)?;
    let mut checks = 0;
    for line in output.lines() {
        let Some((verdict, rest)) = line.split_once(' ') else { continue };
        let (name, why) = rest.split_once(' ').unwrap_or((rest, ""));
        match verdict {
            "ok" => tally.check(name, || Ok(())),
            "FAIL" => tally.check(name, || bail!("{why}")),
            _ => continue,
        }
        checks += 1;
    }
    let buf = npm::install("buf", proto::BUF)?.join("node_modules/.bin/buf");
    tally.check("buf-curl-of-the-axon", || net.curl_axon(&buf));
    tally.check("buf-curl-by-reflection", || net.curl_metrics(&buf));
    tally.check("every check of the Python side ran", || {
        // Counted, because a script that ends early prints no FAIL.
        ensure!(checks == 36, "{checks} of 36 lines: {output}");
        Ok(())
    });
    tally.finish()
}

/// Weights sealed by Bittensor's library and opened by ours, and the other way round.
fn timelocks(python: &Path) -> anyhow::Result<String> {
    let built = cargo()
        .arg("build")
        .args(EVERYTHING)
        .args(["--example", "timelock"])
        .current_dir(root())
        .status()
        .context("running cargo")?;
    ensure!(built.success(), "the timelock example does not build");
    let said = Command::new(python)
        .arg(root().join("xtask/python/timelock.py"))
        .arg(target().join("release/examples/timelock"))
        .output()?;
    Ok(String::from_utf8(said.stdout)?)
}

/// A network of separate processes; they end when it is dropped.
struct Net {
    dir: PathBuf,
    miner: String,
    miner_hotkey: String,
    proxy: String,
    gateway: String,
    /// Address at which the Python side serves completions, which the miner fronts.
    text: String,
    metrics: String,
    echo: String,
    echo_proxy: String,
    coldkey: String,
    _processes: Vec<Running>,
}

pub(super) struct Cli<'a> {
    pub(super) binary: &'a Path,
    pub(super) dir: &'a Path,
    pub(super) chain: String,
}

impl Cli<'_> {
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(self.binary);
        command
            .env("WEIGHHOUSE_WALLETS", self.dir.join("wallets"))
            .env("WEIGHHOUSE_CHAIN", &self.chain)
            .stdin(Stdio::null())
            .current_dir(self.dir);
        command
    }

    pub(super) fn output(&self, command: &mut Command) -> anyhow::Result<String> {
        let output = command.output()?;
        ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8(output.stdout)?)
    }

    pub(super) fn json(&self, args: &[&str]) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.output(self.command().args(args).arg("--json"))?)?)
    }

    pub(super) fn spawn(&self, name: &str, args: &[&str]) -> anyhow::Result<Running> {
        self.spawn_onto(std::fs::File::create(self.dir.join(format!("{name}.log")))?, args)
    }

    /// With this file as its log.
    pub(super) fn spawn_onto(&self, log: std::fs::File, args: &[&str]) -> anyhow::Result<Running> {
        Ok(Running(self.command().args(args).stdout(Stdio::null()).stderr(log).spawn()?))
    }

    /// A new chain of quick blocks, whose wallets are made, and funded but for the owner's.
    pub(super) fn serve_chain(&self, listen: &str, funded: &[&str]) -> anyhow::Result<Running> {
        for name in [&["owner"], funded].concat() {
            self.json(&["wallet", "create", "--wallet", name, "--no-password"])?;
        }
        let rules = ["chain", "genesis", "--owner-wallet", "owner", "--block-time", "200ms", "--tempo", "20"];
        let mut genesis = self.command();
        genesis.args(rules);
        for name in funded {
            genesis.arg("--fund").arg(format!("{name}=1000"));
        }
        std::fs::write(self.dir.join("genesis.toml"), self.output(&mut genesis)?)?;
        let serve = ["chain", "serve", "--genesis", "genesis.toml", "--dir", "chain", "--listen", listen];
        let chain = self.spawn("chain", &serve)?;
        until("the chain answers", || self.json(&["chain", "metagraph"]).map(|_| true))?;
        Ok(chain)
    }
}

impl Net {
    fn start(binary: &Path, dir: &Path) -> anyhow::Result<Self> {
        let ports = free_ports()?;
        let at = |port: u16| format!("127.0.0.1:{port}");
        let cli = Cli { binary, dir, chain: format!("http://{}", at(ports[0])) };
        let mut processes = vec![cli.serve_chain(&at(ports[0]), &["miner", "validator"])?];
        let coldkey = encrypted_wallet(&cli)?;
        let registered = cli.json(&["chain", "register", "--wallet", "miner"])?;
        let miner_hotkey = registered["hotkey"].as_str().context("a hotkey")?.to_owned();
        let miner_uid = registered["uid"].to_string();
        let registered = cli.json(&["chain", "register", "--wallet", "validator"])?;
        let uid = registered["uid"].as_u64().context("a uid")?;
        cli.json(&["chain", "stake", "--wallet", "validator", "--amount", "500"])?;
        let miner = at(ports[1]);
        std::fs::write(
            dir.join("miner.toml"),
            miner_config(dir, &cli.chain, &miner, &at(ports[5]), &at(ports[8])),
        )?;
        processes.push(cli.spawn("miner", &["miner", "--config", "miner.toml"])?);
        until("the validator has its permit and the miner its axon", || {
            let state = cli.json(&["chain", "metagraph"])?;
            let neurons = state["metagraph"]["neurons"].as_array().context("neurons")?;
            let permit =
                neurons.iter().any(|neuron| neuron["uid"] == uid && neuron["validator_permit"] == true);
            Ok(permit && neurons.iter().any(|neuron| !neuron["axon"].is_null()))
        })?;
        let told = cli.json(&["chain", "certificate", "--uid", &miner_uid])?;
        std::fs::write(dir.join("axon.json"), told.to_string())?;
        // The miner looks at the metagraph once a block; give it a few.
        std::thread::sleep(Duration::from_secs(2));
        let (proxy, echo, echo_proxy) = (at(ports[2]), at(ports[3]), at(ports[4]));
        let key = ["--wallet", "validator", "--listen"];
        let gateway = at(ports[6]);
        let direct =
            [&["proxy"], &key[..], &[&proxy, "--address", &miner, "--receiver", &miner_hotkey]].concat();
        processes.push(cli.spawn("proxy", &direct)?);
        let echoed =
            [&["proxy"], &key[..], &[&echo_proxy, "--address", &echo, "--receiver", &miner_hotkey]].concat();
        processes.push(cli.spawn("echo-proxy", &echoed)?);
        processes.push(start_gateway(&cli, &at(ports[7]), &gateway)?);
        for address in [&proxy, &echo_proxy, &gateway] {
            until("the proxy listens", || Ok(std::net::TcpStream::connect(address).is_ok()))?;
        }
        Ok(Self {
            dir: dir.to_owned(),
            miner,
            miner_hotkey,
            proxy,
            gateway,
            text: at(ports[5]),
            metrics: at(ports[8]),
            echo,
            echo_proxy,
            coldkey,
            _processes: processes,
        })
    }

    fn python(&self, python: &Path) -> anyhow::Result<String> {
        let wallets = self.dir.join("wallets");
        let output = Command::new(python)
            .arg(root().join("xtask/python/interop.py"))
            .args(["--miner", &self.miner, "--miner-hotkey", &self.miner_hotkey, "--proxy", &self.proxy])
            .args(["--gateway", &self.gateway, "--gateway-key", GATEWAY_KEY, "--text", &self.text])
            .args(["--metrics", &self.metrics])
            .args([
                "--echo",
                &self.echo,
                "--echo-hotkey",
                &self.miner_hotkey,
                "--echo-proxy",
                &self.echo_proxy,
            ])
            .arg("--hotkey-file")
            .arg(wallets.join("validator/hotkeys/default"))
            .arg("--coldkey-file")
            .arg(wallets.join("locked/coldkey"))
            .arg("--certificate")
            .arg(self.dir.join("axon.json"))
            .args(["--coldkey", &self.coldkey, "--password", PASSWORD])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "the Python side ended with {}", output.status);
        Ok(String::from_utf8(output.stdout)?)
    }

    /// By the contracts: strangers may ask what is served, and signed questions go through the proxy.
    fn curl_axon(&self, buf: &Path) -> anyhow::Result<()> {
        let contracts = root().join("proto/proto").display().to_string();
        let ask = |address: &str, method: &str, body: &Value| {
            curl(buf, &["--schema", &contracts, "--data", &body.to_string()], &format!("{address}/{method}"))
        };
        let live = ask(&self.miner, "inference.GRPCInferenceService/ServerLive", &json!({}))?;
        ensure!(live["live"] == true, "{live}");
        let scan = json!({ "name": "pixels", "datatype": "FP32", "shape": ["1", "64"],
            "contents": { "fp32Contents": vec![0.5; 64] } });
        let question = json!({ "modelName": "digits", "inputs": [scan] });
        let answer = ask(&self.proxy, "inference.GRPCInferenceService/ModelInfer", &question)?;
        ensure!(answer["outputs"][0]["shape"] == json!(["1", "10"]), "{answer}");
        let refused = ask(&self.miner, "inference.GRPCInferenceService/ModelInfer", &question);
        ensure!(
            refused.as_ref().is_err_and(|why| why.to_string().contains("unauthenticated")),
            "unsigned: {refused:?}"
        );
        Ok(())
    }

    /// Without any contract at hand.
    fn curl_metrics(&self, buf: &Path) -> anyhow::Result<()> {
        let health = curl(buf, &[], &format!("{}/grpc.health.v1.Health/Check", self.metrics))?;
        // The server behind a model ended with the Python side.
        ensure!(health["status"] == "NOT_SERVING", "{health}");
        Ok(())
    }
}

/// What buf's client is answered, without TLS.
fn curl(buf: &Path, args: &[&str], to: &str) -> anyhow::Result<Value> {
    let mut command = Command::new(buf);
    command.args(["curl", "--protocol", "grpc", "--http2-prior-knowledge"]).args(args);
    let said = command.arg(format!("http://{to}")).stdin(Stdio::null()).output().context("running buf")?;
    ensure!(said.status.success(), "buf curl {to}: {}", String::from_utf8_lossy(&said.stderr).trim());
    Ok(serde_json::from_slice(&said.stdout)?)
}

/// A gateway with a key and a chat template, whose miners come from the chain.
fn start_gateway(cli: &Cli<'_>, listen: &str, http: &str) -> anyhow::Result<Running> {
    std::fs::write(cli.dir.join("gateway.key"), GATEWAY_KEY)?;
    std::fs::create_dir(cli.dir.join("template"))?;
    std::fs::write(cli.dir.join("template/chat_template.jinja"), TEMPLATE)?;
    let key = [
        "proxy",
        "--wallet",
        "validator",
        "--listen",
        listen,
        "--http",
        http,
        "--http-key-file",
        "gateway.key",
    ];
    cli.spawn("gateway", &[&key[..], &["--folder", "language=template"]].concat())
}

/// A wallet whose coldkey is encrypted under a password that comes through a pipe.
fn encrypted_wallet(cli: &Cli<'_>) -> anyhow::Result<String> {
    let mut child = cli
        .command()
        .args(["wallet", "create", "--wallet", "locked", "--password-fd", "0", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("stdin is piped")?.write_all(PASSWORD.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "wallet create ended with {}", output.status);
    let made: Value = serde_json::from_slice(&output.stdout)?;
    Ok(made["coldkey"].as_str().context("a coldkey")?.to_owned())
}

fn miner_config(dir: &Path, chain: &str, listen: &str, text: &str, metrics: &str) -> String {
    let (wallets, state) = (dir.join("wallets"), dir.join("miner-state"));
    let vectors = root().join("models/testdata/language/bert");
    format!(
        "[wallet]\npath = {wallets:?}\nname = \"miner\"\nhotkey = \"default\"\n\n[chain]\nendpoints = [\"{chain}\"]\n\
         netuid = 1\n\n[serve]\nlisten = \"{listen}\"\n\n[metrics]\nlisten = \"{metrics}\"\n\n[state]\ndir = {state:?}\n\n[[model]]\nname = \"digits\"\n\
         builtin = \"digits-reference\"\n\n[[model]]\nname = \"tale\"\nkind = \"text\"\nbackend = \"openai\"\n\
         url = \"http://{text}\"\nmodel = \"tiny\"\n\n[[model]]\nname = \"language\"\nkind = \"text\"\n\
         builtin = \"language-reference\"\n\n[[model]]\nname = \"vectors\"\nkind = \"embed\"\npath = {vectors:?}\n"
    )
}

/// Ports that were free a moment ago.
pub(super) fn free_ports() -> anyhow::Result<Vec<u16>> {
    // All are held at once: a port that was let go could be given a second time.
    let held: Vec<_> = (0..9).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

pub(super) fn until(what: &str, done: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    until_within(PATIENCE, what, done)
}

pub(super) fn until_within(
    patience: Duration,
    what: &str,
    mut done: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        match done() {
            Ok(true) => return Ok(()),
            outcome if start.elapsed() > patience => bail!("waited in vain until {what}: {outcome:?}"),
            _ => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}
