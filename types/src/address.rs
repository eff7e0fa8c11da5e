//! Addresses of this machine, as people write them in files and on the command line.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Deserializer, de};

/// A text that is no address of this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address: write IP:PORT, such as 0.0.0.0:8091, or localhost:PORT; other names aren't looked up here"
)]
pub struct AddressError(String);

/// Reads `IP:PORT` or `localhost:PORT`.
pub fn parse(text: &str) -> Result<SocketAddr, AddressError> {
    let trimmed = text.trim();
    if let Ok(address) = trimmed.parse() {
        return Ok(address);
    }
    let port = trimmed.rsplit_once(':').filter(|(host, _)| host.eq_ignore_ascii_case("localhost"));
    let port = port.and_then(|(_, port)| port.parse::<u16>().ok());
    port.map(|port| (Ipv4Addr::LOCALHOST, port).into()).ok_or_else(|| AddressError(text.to_owned()))
}

/// For `serde(deserialize_with)`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// As [`deserialize`], of a key that may be absent.
pub fn deserialize_optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_this_machine_and_other_names_are_answered_with_the_form() {
        for (text, read) in [
            ("0.0.0.0:8091", "0.0.0.0:8091"),
            (" 127.0.0.1:1 ", "127.0.0.1:1"),
            ("[::1]:8091", "[::1]:8091"),
            ("localhost:8091", "127.0.0.1:8091"),
            ("LocalHost:0", "127.0.0.1:0"),
        ] {
            assert_eq!(parse(text).expect(text).to_string(), read);
        }
        for text in
            ["", "8091", ":8091", "0.0.0.0", "localhost", "localhost:", "localhost:70000", "miner.example:1"]
        {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains("write IP:PORT"), "{error}");
        }
    }
}
