//! Real servers of other people behind a miner of ours, with a chain and a validator that judges: what honest work earns there,
//! and what a weaker model does.

mod install;
mod process;
mod recipes;
mod record;
mod site;

use anyhow::ensure;

#[cfg(feature = "serving")]
pub(crate) use self::recipes::llama_peer;
use self::recipes::{ODD, RECIPES, Recipe, Tells};
pub(crate) use self::site::Options;
use self::site::Site;
use super::Tally;

/// Runs all servers, or one.
pub(crate) fn run(only: Option<&str>, options: Options) -> anyhow::Result<()> {
    let wanted = |name: &str| only.is_none_or(|only| only == name);
    let names: Vec<_> = RECIPES.iter().map(|recipe| recipe.name).chain([ODD]).collect();
    ensure!(
        names.iter().any(|name| wanted(name)),
        "no server is called {:?}: there are {}",
        only.unwrap_or_default(),
        names.join(", ")
    );
    let mut tally = Tally::new("servers");
    let site = Site::new(options)?;
    for recipe in RECIPES.iter().filter(|recipe| wanted(recipe.name)) {
        check(&mut tally, &site, recipe);
    }
    if wanted(ODD) {
        for name in ["pieces", "ends", "penalty"] {
            let what = format!("vllm with the odd model {name:?}: honest work is paid in full");
            tally.check(&what, || site.odd(name));
        }
    }
    tally.finish()
}

fn check(tally: &mut Tally, site: &Site, recipe: &Recipe) {
    let mut check = |what: &str, run: &dyn Fn() -> anyhow::Result<()>| {
        tally.check(&format!("{}: {what}", recipe.name), run);
    };
    if recipe.tells == Tells::Ids {
        check("honest work is paid in full", &|| site.honest(recipe));
        check("a weaker model behind it earns nothing", &|| site.weak(recipe));
        return;
    }
    check("its miner says at the start what it can't earn", &|| site.told(recipe));
    if recipe.tells == Tells::Count {
        check("honest work is paid in full where no log-probabilities are asked for", &|| {
            site.honest_in_text(recipe)
        });
    }
}
