//! Seals and opens timelocked messages for peers of other makes: `xtask/python/timelock.py` runs it.
//!
//! `timelock seal ROUND` encrypts each line to a round of drand's quicknet; `timelock open SIGNATURE` decrypts each line
//! with a round's signature. All in hexadecimal digits, from standard input to standard output.

use std::io::{BufRead as _, Write as _};

use weighhouse_chain::timelock::{decrypt, encrypt, quicknet};
use weighhouse_seams::Entropy;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let bytes = const_hex::decode(line?.trim())?;
        let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["seal", round] => {
                encrypt(&quicknet::PUBLIC_KEY, round.parse()?, &bytes, &mut Entropy::system())?
            }
            ["open", signature] => {
                let signature =
                    const_hex::decode(signature)?.try_into().map_err(|_| "a signature has 48 bytes")?;
                decrypt(&bytes, &signature)?
            }
            _ => return Err("usage: timelock seal ROUND | timelock open SIGNATURE".into()),
        };
        writeln!(out, "{}", const_hex::encode(done))?;
    }
    Ok(())
}
