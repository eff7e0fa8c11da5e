//! The folder that `weighhouse init subnet` writes: it runs as it is, in Python and in Rust, and its journals are audited.

mod subnet;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use self::subnet::{Subnet, done, earned};
use super::Judge;
use crate::say;
use crate::suite::{Running, Tally, root, weighhouse};

const CHEATS: [&str; 3] = ["mean", "echo", "notanumber"];
/// A judge that does all that a judge may do, and its miners.
const SEALED: [(&str, &str); 3] = [
    ("judge.py", include_str!("sealed/judge.py")),
    ("miner.py", include_str!("sealed/miner.py")),
    ("personas.py", include_str!("sealed/personas.py")),
];
/// An exit code: nothing is wrong, but the judge was not at hand, or it failed at everything.
const UNAVAILABLE: i32 = 69;

/// Runs the checks.
pub(super) fn checks(tally: &mut Tally, python: &Path) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let binary = weighhouse()?;
    let subnet = |language| Subnet::init(python, &binary, scratch.path(), language);
    tally.check("a new folder's judge passes its own tests", || subnet("python")?.tests_pass());
    tally.check("it pays work and refuses cheats, from an empty folder to emissions", || {
        let begun = Instant::now();
        let subnet = subnet("python")?;
        subnet.pays()?;
        say(&format!("        {:.1} s", begun.elapsed().as_secs_f64()));
        Ok(())
    });
    tally.check("its journal is audited with the judge, and says so without", || {
        subnet("python")?.is_audited()
    });
    tally.check("a saved judge is taken up by the next epoch, a broken one is not", || {
        subnet("python")?.takes_up_what_is_saved()
    });
    tally.check("a judge that fails costs no miner anything, and the account says why", || {
        subnet("python")?.is_not_the_miners_fault()
    });
    tally.check("the kind that docs/new-task.md writes runs as it stands there", || {
        let subnet = subnet("python")?;
        subnet.write_the_page()?;
        subnet.tests_pass()?;
        let (_, account) = subnet.localnet()?;
        let (honest, cheat) = (earned(&account, "honest")?, earned(&account, "echo")?);
        ensure!(honest > 0 && cheat == 0 && earned(&account, "reversed")? == 0, "{account}");
        Ok(())
    });
    tally.check("seals, reveals, later truth and joint verdicts: paid, refused and audited", || {
        subnet("python")?.is_sealed()
    });
    tally.check("the same with a judge in Rust", || {
        let begun = Instant::now();
        let subnet = subnet("rust")?;
        subnet.pays()?;
        say(&format!("        {:.1} s, the judge's build included", begun.elapsed().as_secs_f64()));
        Ok(())
    });
    Ok(())
}

impl Subnet<'_> {
    fn pays(&self) -> anyhow::Result<()> {
        let (_, account) = self.localnet()?;
        let (honest, straight) = (earned(&account, "honest")?, earned(&account, "straight")?);
        ensure!(honest > 0 && honest >= straight, "honest {honest}, straight {straight}");
        for cheat in CHEATS {
            ensure!(earned(&account, cheat)? == 0, "{cheat} earns");
        }
        Ok(())
    }

    /// Writes the files that the page shows, each under its first line.
    fn write_the_page(&self) -> anyhow::Result<()> {
        let page = std::fs::read_to_string(root().join("docs/new-task.md"))?;
        let mut written = 0;
        for block in page.split("```python\n# sorting/").skip(1) {
            let (name, rest) = block.split_once('\n').context("a name")?;
            let (text, _) = rest.split_once("```").context("an end")?;
            std::fs::write(self.folder.join(name), text)?;
            written += 1;
        }
        ensure!(written == 4, "the page has {written} files");
        Ok(())
    }

    /// Runs the folder without an end, saves the judge in other ways, and ends the run.
    fn takes_up_what_is_saved(&self) -> anyhow::Result<()> {
        let mut command = self.command();
        let mut net = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
        let mut greeting = String::new();
        let mut tables = BufReader::new(net.0.stdout.take().context("piped")?);
        tables.read_line(&mut greeting)?;
        let told = BufReader::new(net.0.stderr.take().context("piped")?).lines().map_while(Result::ok);
        let mut judgings = told.filter(|line| line.starts_with("epoch "));
        let file = self.folder.join("judge.py");
        let judge = std::fs::read_to_string(&file)?;
        std::fs::write(&file, judge.replace("SEEN = 64", "SEEN = 48"))?;
        let taken = judgings.next().context("no word of the saved judge")?;
        ensure!(
            taken.contains("by the saved judge, sha256:") && taken.contains("under the task sha256:"),
            "{taken}"
        );
        std::fs::write(&file, judge.replace("class Curve", "clas Curve"))?;
        let refused = judgings.next().context("no word of the broken judge")?;
        ensure!(refused.contains("stays with the judge from before"), "{refused}");
        std::fs::write(&file, judge.replace("rng.random(2,", "np.random.default_rng().random(2,"))?;
        let unsteady = judgings.next().context("no word of the judge that draws by another chance")?;
        ensure!(unsteady.contains("drawn twice and gave two challenges"), "{unsteady}");
        let ended = Command::new("kill").args(["-INT", &net.0.id().to_string()]).status()?;
        ensure!(ended.success() && net.0.wait()?.success(), "the localnet didn't end as told");
        Ok(())
    }

    fn is_not_the_miners_fault(&self) -> anyhow::Result<()> {
        let file = self.folder.join("judge.py");
        let judge = std::fs::read_to_string(&file)?;
        std::fs::write(&file, judge.replace("mean = fsum(truth)", "mean = fsum(nothing)"))?;
        let ended = self.command_of(2).output()?;
        let account = String::from_utf8_lossy(&ended.stdout);
        for word in ["6 of 6 rounds are void", "which is no miner's fault", "NameError", "never judged"] {
            ensure!(account.contains(word), "{word}: {account}");
        }
        let told = String::from_utf8_lossy(&ended.stderr);
        // The last line says once more why it ended.
        let faults = told.lines().filter(|line| !line.starts_with("error: "));
        let faults = faults.filter(|line| line.contains("(judge.py, line ")).count();
        ensure!(faults == 1 && !told.contains("Traceback"), "{faults} faults: {told}");
        ensure!(ended.status.code() == Some(UNAVAILABLE), "{}: {told}", ended.status);
        Ok(())
    }

    /// Runs a judge that asks twice, waits for the truth and judges all answers together.
    fn is_sealed(&self) -> anyhow::Result<()> {
        for (name, text) in SEALED {
            std::fs::write(self.folder.join(name), text)?;
        }
        let task = self.folder.join("task.toml");
        let does_more = "together = true\nexchanges = 2\nresolves_within = 3\n";
        std::fs::write(&task, std::fs::read_to_string(&task)? + does_more)?;
        let (state, account) = self.localnet()?;
        let cheats = earned(&account, "further")? + earned(&account, "changing")?;
        ensure!(earned(&account, "honest")? > 0 && cheats == 0, "{account}");
        self.audit(&state, "Sealed")
    }

    fn is_audited(&self) -> anyhow::Result<()> {
        let (state, _) = self.localnet()?;
        self.audit(&state, "Curve")
    }

    /// Audits the last epoch with the judge, by its class, and without.
    fn audit(&self, state: &Path, class: &str) -> anyhow::Result<()> {
        let file = state.join("validators/honest-a/epoch-00000000000000000001.wj");
        let audit = |judge: Option<&str>| {
            let mut command = Command::new(self.binary);
            command.args(["audit", "--json"]).arg(&file);
            if let Some(judge) = judge {
                command.args(["--judge", judge]);
            }
            command.output()
        };
        let judge = Judge::start(self.python, &self.folder.join("judge.py"), class, "127.0.0.1:0")?;
        let told: Value = serde_json::from_str(&done(audit(Some(&judge.address))?)?)?;
        let is_none = told["problems"].as_array().is_some_and(Vec::is_empty);
        ensure!(is_none && told["not_rederived"].is_null(), "with the judge: {told}");
        let without = audit(None)?;
        let told: Value = serde_json::from_slice(&without.stdout)?;
        let is_counted = told["not_rederived"].as_array().is_some_and(|what| !what.is_empty());
        ensure!(without.status.code() == Some(UNAVAILABLE) && is_counted, "without the judge: {told}");
        Ok(())
    }
}
