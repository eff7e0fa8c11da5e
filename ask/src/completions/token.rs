//! Names of tokens.

/// The prefix of a token that is named by its id, as vLLM and SGLang name it when asked to.
const TOKEN_ID_PREFIX: &str = "token_id:";

/// Reads the id of a token that is named by it.
pub fn token_id(name: &str) -> Option<u32> {
    name.strip_prefix(TOKEN_ID_PREFIX)?.parse().ok()
}
