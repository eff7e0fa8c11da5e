//! Sampling parameters that servers know, each with the value that leaves the choice to the model alone.
//!
//! Temperature 0 by itself isn't greedy: a server adds its own defaults, or those of the model's
//! `generation_config.json`, and a repetition penalty changes which token is the likeliest.

use serde_json::Value;

/// Names and values in JSON. A name that comes twice has a second value, for servers that refuse the first.
const NEUTRAL: &[(&str, &str)] = &[
    // OpenAI's own.
    ("top_p", "1"),
    ("n", "1"),
    ("best_of", "1"),
    ("presence_penalty", "0"),
    ("frequency_penalty", "0"),
    ("logit_bias", "{}"),
    ("echo", "false"),
    // vLLM, SGLang, TensorRT-LLM, LMDeploy. All tokens are -1 to some servers and 0 to others.
    ("top_k", "-1"),
    ("top_k", "0"),
    ("repetition_penalty", "1"),
    ("min_p", "0"),
    ("min_tokens", "0"),
    ("use_beam_search", "false"),
    ("no_repeat_ngram_size", "0"),
    // llama.cpp, which runs no sampler but those in its list.
    ("samplers", r#"["temperature"]"#),
    ("repeat_penalty", "1"),
    ("typical_p", "1"),
    ("tfs_z", "1"),
    ("top_n_sigma", "-1"),
    ("mirostat", "0"),
    ("dynatemp_range", "0"),
    ("dry_multiplier", "0"),
    ("xtc_probability", "0"),
    ("adaptive_target", "-1"),
    ("grammar", r#""""#),
    // Hugging Face's servers, and the heirs of text-generation-webui.
    ("do_sample", "false"),
    ("tfs", "1"),
    ("top_a", "0"),
    ("mirostat_mode", "0"),
    ("dynamic_temperature", "false"),
    ("smoothing_factor", "0"),
    ("epsilon_cutoff", "0"),
    ("eta_cutoff", "0"),
    ("guidance_scale", "1"),
];

/// The parameters in the order in which they are tried.
pub(super) fn parameters() -> impl Iterator<Item = (&'static str, Value)> {
    NEUTRAL.iter().map(|(name, value)| (*name, serde_json::from_str(value).expect("the table is JSON")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_a_value_that_a_server_can_read() {
        assert_eq!(parameters().count(), NEUTRAL.len());
        assert!(parameters().all(|(_, value)| !value.is_null()));
    }
}
