//! Examples that `--help` shows of each command which doesn't bring its own.

const EXAMPLES: &[(&str, &str)] = &[
    (
        "init",
        "
  weighhouse init miner --wallet miner --network finney --netuid 12
  weighhouse init validator --wallet validator
  weighhouse init genesis --owner-wallet owner --fund validator=1000
  weighhouse init subnet weather",
    ),
    (
        "init miner",
        "
  weighhouse init miner --wallet miner
  weighhouse init miner --network finney --netuid 12 --external 203.0.113.7:8091 --out finney.toml
  weighhouse init miner --from miner.toml --network finney --netuid 12 --out finney.toml    carry a localnet's over
  weighhouse init miner --steps --out finney.toml                                           what is left, and its cost",
    ),
    (
        "init validator",
        "
  weighhouse init validator --wallet validator
  weighhouse init validator --network wss://one.node:443,wss://another.node:443 --netuid 12
  weighhouse init validator --from validator.toml --network test --netuid 12 --out test.toml
  weighhouse init validator --steps --out test.toml --json",
    ),
    (
        "init genesis",
        "
  weighhouse init genesis --owner-wallet owner --fund validator=1000 --fund 5Grw...=12.5
  weighhouse init genesis --block-time 250ms --tempo 20 --out fast.toml",
    ),
    (
        "miner",
        "
  weighhouse miner                              serve as miner.toml says
  weighhouse miner --config finney.toml
  weighhouse miner check --config finney.toml   try everything, serve nothing
  weighhouse miner status                       of the one that runs",
    ),
    (
        "miner run",
        "
  weighhouse miner run --config miner.toml",
    ),
    (
        "miner check",
        "
  weighhouse miner check
  weighhouse miner check --config finney.toml --json
  weighhouse miner check --task task.toml          whether the subnet's task asks for a model that is served",
    ),
    (
        "miner renew-key",
        "
  weighhouse miner renew-key --config miner.toml     while the miner is stopped
  weighhouse miner renew-key --json",
    ),
    (
        "miner status",
        "
  weighhouse miner status
  weighhouse miner status --json",
    ),
    (
        "miner earnings",
        "
  weighhouse miner earnings                             if every answer got full marks
  weighhouse miner earnings --config finney.toml --score score.json --policy policy.toml --task task.toml
  weighhouse miner earnings --marks 0.93 --json",
    ),
    (
        "miner why",
        "
  weighhouse miner why                               ask every validator that tells
  weighhouse miner why --epoch 42 --json
  weighhouse miner why --journal journal --uid 17    from a validator's journal, or one epoch's file",
    ),
    (
        "miner score",
        "
  weighhouse miner score --task digits-conformance
  weighhouse miner score --config miner.toml --task task.toml --reference ./model --rounds 100
  weighhouse miner score --task task.toml --judge unix:/run/judge.sock --json",
    ),
    (
        "validator",
        "
  weighhouse validator                                  validate as validator.toml says
  weighhouse validator check --config validator.toml    try everything, publish nothing
  weighhouse validator status                           of the one that runs
  weighhouse validator console                          its journal in a browser",
    ),
    (
        "validator run",
        "
  weighhouse validator run --config validator.toml",
    ),
    (
        "validator check",
        "
  weighhouse validator check
  weighhouse validator check --config finney.toml --json",
    ),
    (
        "validator status",
        "
  weighhouse validator status
  weighhouse validator status --watch    a new look with each block, until Ctrl-C
  weighhouse validator status --json",
    ),
    (
        "validator console",
        "
  weighhouse validator console                         beside the validator, with the chain that validator.toml names
  weighhouse validator console --journal ./journal     a folder alone
  weighhouse validator console --listen 127.0.0.1:8090 --no-open --json",
    ),
    (
        "validator export",
        "
  weighhouse validator export --out moved.weighhouse         while it is stopped; then copy the file
  weighhouse validator export --take-back                    the file was imported nowhere, and it runs here again",
    ),
    (
        "validator import",
        "
  weighhouse validator import moved.weighhouse
  weighhouse validator import moved.weighhouse --config finney.toml --json",
    ),
    (
        "weights",
        "
  weighhouse weights show --chain finney --netuid 7
  weighhouse weights diff 3 8
  weighhouse weights put weights.csv --config validator.toml",
    ),
    (
        "weights show",
        "
  weighhouse weights show
  weighhouse weights show --validator 5Grw... --chain finney --netuid 7 --json",
    ),
    (
        "weights diff",
        "
  weighhouse weights diff 3 8                             two validators, by uid or hotkey
  weighhouse weights diff 3 validator-journal             what the chain has, and the journal's newest vector
  weighhouse weights diff 3 weights.csv --json            what consensus would make of a file's weights
  weighhouse weights diff old.csv new.csv --as 3",
    ),
    (
        "weights put",
        "
  weighhouse weights put weights.csv
  my-scores | weighhouse weights put - --json             as your own code prints them
  weighhouse weights put weights.parquet --until committed
  weighhouse weights put --resume                         goes on with what was stopped",
    ),
    (
        "explain",
        "
  weighhouse explain 17                                   by the journal and chain of validator.toml
  weighhouse explain 5Grw... --epoch 42 --json
  weighhouse explain 17 --journal journal --chain finney",
    ),
    (
        "wallet create",
        "
  weighhouse wallet create --wallet miner
  weighhouse wallet create --wallet miner --hotkey second --hotkey-only",
    ),
    (
        "wallet import",
        "
  weighhouse wallet import --wallet miner --no-password < words.txt
  weighhouse wallet import --wallet watched --address 5F...",
    ),
    (
        "wallet list",
        "
  weighhouse wallet list
  weighhouse wallet list --json",
    ),
    (
        "wallet sign",
        "
  weighhouse wallet sign --wallet validator 'a message'",
    ),
    (
        "wallet verify",
        "
  weighhouse wallet verify --address 5Grw... --signature 0x3a5f... 'a message'",
    ),
    (
        "chain",
        "
  weighhouse chain serve --genesis genesis.toml --dir ./chain
  weighhouse chain register --wallet miner --limit 1
  weighhouse chain stake --wallet validator --amount 500
  weighhouse chain metagraph --chain finney --netuid 7
  weighhouse chain why 5Grw... --chain finney --netuid 7",
    ),
    (
        "chain genesis",
        "
  weighhouse chain genesis --owner-wallet owner > genesis.toml",
    ),
    (
        "chain serve",
        "
  weighhouse chain serve --genesis genesis.toml --dir ./chain
  weighhouse chain serve --genesis genesis.toml --dir ./chain --listen 0.0.0.0:9944",
    ),
    (
        "chain register",
        "
  weighhouse chain register --wallet miner --dry-run             the price, and what it would earn
  weighhouse chain register --wallet miner --chain finney --netuid 12 --limit 0.5 --yes",
    ),
    (
        "chain stake",
        "
  weighhouse chain stake --wallet validator --amount 500
  weighhouse chain stake --wallet validator --amount 500 --dry-run --json",
    ),
    (
        "chain unstake",
        "
  weighhouse chain unstake --wallet validator --amount 20",
    ),
    (
        "chain transfer",
        "
  weighhouse chain transfer --to 5FHn... --amount 2.5 --dry-run
  weighhouse chain transfer --to 5FHn... --amount 2.5 --yes",
    ),
    (
        "chain verify-epoch",
        "
  weighhouse chain verify-epoch --chain wss://an.archive.node --netuid 12 --block 5000000
  weighhouse chain verify-epoch --snapshot epoch.json",
    ),
    (
        "chain metagraph",
        "
  weighhouse chain metagraph
  weighhouse chain metagraph --chain finney --netuid 7 --json",
    ),
    (
        "chain hyperparameters",
        "
  weighhouse chain hyperparameters
  weighhouse chain hyperparameters --wallet owner --set tempo=100 --set immunity_period=5000",
    ),
    (
        "chain balance",
        "
  weighhouse chain balance --wallet validator
  weighhouse chain balance --coldkey 5Grw... --chain finney --json",
    ),
    (
        "chain why",
        "
  weighhouse chain why 5Grw...
  weighhouse chain why 5Grw... --chain finney --netuid 7 --json",
    ),
    (
        "task",
        "
  weighhouse task measure digits-quality
  weighhouse task calibrate generate --help
  weighhouse task digest judge.py --pin task.toml",
    ),
    (
        "model show",
        "
  weighhouse model show reference.safetensors --json",
    ),
    (
        "model generate",
        "
  weighhouse model generate small --prompt \"The borrow checker\" --max-tokens 40",
    ),
    (
        "model embed",
        "
  weighhouse model embed all-MiniLM-L6-v2 \"one text\" \"another\"",
    ),
    (
        "policy default",
        "
  weighhouse policy default > policy.toml",
    ),
    (
        "policy schema",
        "
  weighhouse policy schema > policy.schema.json",
    ),
];

/// Adds its examples to a command that has none, and to all below it.
pub(super) fn add(command: clap::Command, path: &str) -> clap::Command {
    let key = path.strip_prefix("weighhouse ").unwrap_or_default();
    let own = EXAMPLES.iter().find(|(of, _)| *of == key).map(|(_, text)| *text);
    let command = match own {
        Some(text) if command.get_after_help().is_none() => command.after_help(format!("Examples:{text}")),
        _ => command,
    };
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let path = format!("{path} {name}");
        command.mut_subcommand(name, |sub| add(sub, &path))
    })
}
