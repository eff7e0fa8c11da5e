#![expect(clippy::disallowed_methods, reason = "test folders need not survive a crash")]

use serde_json::json;

use super::*;

/// Writes files into a folder and reads its template.
fn folder(files: &[(&str, Json)]) -> Result<ChatTemplate, TemplateError> {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let text = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    ChatTemplate::read(dir.path())
}

fn render(template: &ChatTemplate, messages: &[(&str, &str)]) -> Result<String, String> {
    let messages = messages.iter().map(|(role, content)| json!({"role": role, "content": content})).collect();
    let variables = [("add_generation_prompt".to_owned(), Json::from(true))].into_iter().collect();
    template.render(messages, variables, UnixNanos(1_790_000_000_000_000_000))
}

fn of(source: &str) -> ChatTemplate {
    ChatTemplate::new(source.to_owned(), Map::new(), None).expect("compiles")
}

/// As in the template that many models of the Qwen family are published with.
const CHATML: &str = "{%- if messages[0]['role'] == 'system' -%}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- else %}
    {{- '<|im_start|>system\\nYou help.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) or message.role == \"assistant\" and not message.tool_calls %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
";

#[test]
fn a_dialogue_is_written_as_the_model_was_trained_to_read_it() {
    let template = folder(&[("tokenizer_config.json", json!({"chat_template": CHATML}))]).expect("one");
    let expected =
        "<|im_start|>system\nYou help.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(render(&template, &[("user", "Hi")]), Ok(expected.to_owned()));
    let told = render(&template, &[("system", "Be brief."), ("user", "Hi")]).expect("written");
    assert!(told.starts_with("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"), "{told}");
}

#[test]
fn a_template_is_found_wherever_folders_keep_it() {
    let named = json!({"chat_template": [
        {"name": "tool_use", "template": "tools"},
        {"name": "default", "template": "{{ bos_token }}named"},
    ], "bos_token": {"content": "<s>"}});
    let cases = [
        (vec![("chat_template.jinja", json!("file")), ("tokenizer_config.json", named.clone())], "file"),
        (vec![("tokenizer_config.json", named)], "<s>named"),
        (vec![("chat_template.json", json!({"chat_template": "old"}))], "old"),
    ];
    for (files, expected) in cases {
        let template = folder(&files).expect(expected);
        assert_eq!(render(&template, &[]).as_deref(), Ok(expected));
    }
}

#[test]
fn a_folder_without_a_template_or_with_a_broken_one_is_told_so() {
    let none = folder(&[("tokenizer_config.json", json!({"bos_token": "<s>"}))]).expect_err("none");
    assert!(matches!(none, TemplateError::None(_)), "{none}");
    let broken = folder(&[("chat_template.jinja", json!("a\n{% if %}"))]).expect_err("broken");
    assert_eq!(broken.to_string(), "the chat template doesn't compile: unexpected end of block (line 2)");
    for (text, why) in [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:01\n", "Git LFS pointer"),
        ("\n", "is empty"),
    ] {
        let error = folder(&[("chat_template.jinja", json!(text))]).expect_err(why).to_string();
        assert!(error.contains("chat_template.jinja") && error.contains(why), "{error}");
    }
    let json = folder(&[("tokenizer_config.json", json!("{"))]).expect_err("no JSON");
    assert!(matches!(json, TemplateError::Unreadable { .. }), "{json}");
}

#[test]
fn the_first_token_is_left_to_a_tokenizer_that_adds_it() {
    let config =
        json!({"bos_token": "<s>", "chat_template": "{{ bos_token }}[INST]{{ messages[0].content }}"});
    let single =
        json!([{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]);
    let adding = json!({"type": "TemplateProcessing", "single": single});
    let nested = json!({"type": "Sequence", "processors": [{"type": "ByteLevel"}, adding.clone()]});
    let cases = [(adding, "[INST]a"), (nested, "[INST]a"), (json!({"type": "ByteLevel"}), "<s>[INST]a")];
    for (processor, expected) in cases {
        let tokenizer = json!({"post_processor": processor});
        let template = folder(&[("tokenizer_config.json", config.clone()), ("tokenizer.json", tokenizer)]);
        assert_eq!(render(&template.expect("one"), &[("user", "a")]).as_deref(), Ok(expected));
    }
}

#[test]
fn what_templates_use_of_python_and_transformers_works() {
    let cases = [
        ("{{ messages[0]['content'].strip().upper() }}", "HI"),
        ("{{ messages[0].content.startswith(' h') }}", "True"),
        (
            "{% for message in messages %}\n  {%- if loop.index0 == 1 %}{% break %}{% endif %}{{ message.role }}{% endfor %}",
            "user",
        ),
        (
            "{% set ns = namespace(n=1) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
            "2",
        ),
        ("{{ messages[0] | tojson }}", r#"{"content": " hi ", "role": "user"}"#),
        ("{{ {'a': [1, 2]} | tojson(separators=(',', ':'), sort_keys=true) }}", r#"{"a":[1,2]}"#),
        ("{{ {'a': '<&>'} | tojson(indent=2) }}", "{\n  \"a\": \"<&>\"\n}"),
        ("{% generation %}a{%- endgeneration -%} b", "ab"),
        ("{{ strftime_now('%d %b %Y') }}", "21 Sep 2026"),
        ("{% if tools is defined and tools %}x{% endif %}{{ messages[0].nothing }}y", "y"),
        ("{% if messages[0].content is string %}{{ messages[0].content[1:3] }}{% endif %}", "hi"),
    ];
    for (source, expected) in cases {
        assert_eq!(render(&of(source), &[("user", " hi ")]).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn a_templates_refusal_is_told_in_its_words() {
    let strict =
        of("{% if messages[0].role != 'user' %}\n{{ raise_exception('Roles must alternate') }}{% endif %}ok");
    assert_eq!(render(&strict, &[("user", "a")]).as_deref(), Ok("ok"));
    let refused = render(&strict, &[("tool", "a")]).expect_err("refused");
    assert!(refused.starts_with("Roles must alternate"), "{refused}");
    let endless = of("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}");
    assert_eq!(render(&endless, &[]).expect_err("too long"), "engine ran out of fuel (line 1)");
}
