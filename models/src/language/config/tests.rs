use super::*;

const LLAMA: &str = r#"{"model_type":"llama","vocab_size":8,"hidden_size":8,"intermediate_size":8,
    "num_hidden_layers":1,"num_attention_heads":2,"max_position_embeddings":8,"rms_norm_eps":1e-5"#;

#[test]
fn what_is_left_out_has_the_published_default() {
    let shape = Shape::parse(format!("{LLAMA}}}").as_bytes()).expect("a shape");
    assert_eq!((shape.kv_heads, shape.head_width, shape.tied), (2, 4, false));
    assert_eq!((shape.qkv_bias, shape.output_bias, shape.inner_bias), (false, false, false));
    assert_eq!(shape.end_tokens, [2]);
    let null = format!("{LLAMA},\"eos_token_id\":null}}");
    assert!(Shape::parse(null.as_bytes()).expect("a shape").end_tokens.is_empty());
    let qwen = format!("{}}}", LLAMA.replace("llama", "qwen2"));
    assert!(Shape::parse(qwen.as_bytes()).expect("a shape").end_tokens.is_empty());
    let many = format!("{LLAMA},\"eos_token_id\":[3,4]}}");
    assert_eq!(Shape::parse(many.as_bytes()).expect("a shape").end_tokens, [3, 4]);
}

#[test]
fn every_scaling_is_read_or_refused_by_name() {
    let refusal = |scaling: &str| {
        let config = format!("{LLAMA},\"rope_scaling\":{scaling}}}");
        Shape::parse(config.as_bytes()).expect_err("refused").to_string()
    };
    assert!(refusal(r#"{"rope_type":"longrope"}"#).contains("longrope"));
    assert!(refusal(r#"{"type":"linear"}"#).contains("factor"));
    assert!(refusal(r#"{"rope_type":"linear","factor":0}"#).contains("factor"));
    let bands = r#"{"rope_type":"llama3","factor":2,"low_freq_factor":4,"high_freq_factor":1}"#;
    assert!(refusal(bands).contains("low_freq_factor"));
}

#[test]
fn another_architecture_is_named_whatever_keys_it_has() {
    for (config, named) in [
        (r#"{"model_type":"gpt2","n_embd":768,"n_head":12}"#, "gpt2"),
        (r#"{"model_type":"mistral3","text_config":{"model_type":"mistral","vocab_size":8}}"#, "mistral3"),
        (r#"{"model_type":"openelm","num_query_heads":[12,14],"num_attention_heads":null}"#, "openelm"),
    ] {
        assert_eq!(Shape::parse(config.as_bytes()), Err(ModelConfigError::Family(named.into())), "{config}");
    }
}
