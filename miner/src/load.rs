//! From the configuration to the engines that it describes: the composition of sources, engines and backends.

use crate::config::Config;
use crate::engine::Catalogue;
use crate::sources::source::Site;

pub use crate::sources::error::LoadError;
pub use crate::sources::source::Surroundings;

/// Loads every configured model. Must be called within a tokio runtime.
pub fn engines(config: &Config, around: &Surroundings<'_>) -> Result<Catalogue, LoadError> {
    let site = Site { around, limits: &config.limits, text: &config.text };
    let load = |model: &crate::sources::ModelConfig| model.source.load(model.name.clone(), &site);
    let engines = config.models.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    Ok(Catalogue::new(engines)?)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;
    use std::sync::Arc;

    use weighhouse_proto::ModelKind;
    use weighhouse_seams::{Clock, CpuPool, SystemClock};
    use weighhouse_types::text::{
        TextAnswer, TextLimits, TextRequest, TextsAnswer, TextsLimits, TextsRequest,
    };

    use super::*;
    use crate::backend::digest_of_name;
    use crate::engine::EngineError;

    fn read(path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("good.key") => Ok(b" secret\n".to_vec()),
            Some("two.key") => Ok(b"one\ntwo".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn load_all(models: &str) -> Result<Catalogue, LoadError> {
        let text = format!("wallet = {{ name = 'a', hotkey = 'b' }}\nchain = {{ netuid = 1 }}\n{models}");
        let config = Config::parse(&text).expect("a valid configuration");
        let golden = |path: &Path| {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/testdata/language").join(path)
        };
        let expand = |path: &Path| path.to_owned();
        let (cpu, clock) = (CpuPool::new(1, 4), Arc::new(SystemClock::new()) as Arc<dyn Clock>);
        let folder = |path: &Path| match path.to_str() {
            Some("nobody/model") => Err("the hub has no such model".to_owned()),
            _ => Ok(golden(path)),
        };
        engines(
            &config,
            &Surroundings { read: &read, expand: &expand, folder: &folder, cpu: &cpu, clock: &clock },
        )
    }

    #[tokio::test]
    async fn every_kind_of_model_is_served_side_by_side() {
        let catalogue = load_all(
            "[[model]]\nname = 'digits'\nbuiltin = 'digits-weak'\n\
             [[model]]\nname = 'own'\nkind = 'text'\npath = 'llama'\n\
             [[model]]\nname = 'carried'\nkind = 'text'\nbuiltin = 'language-weak'\n\
             [[model]]\nname = 'vectors'\nkind = 'embed'\npath = 'bert'\n\
             [[model]]\nname = 'far'\nkind = 'text'\nbackend = 'oip'\nurl = 'http://127.0.0.1:1'\nmodel = 'x'\n\
             [[model]]\nname = 'near'\nkind = 'text'\nbackend = 'openai'\nurl = 'http://127.0.0.1:1'\nmodel = 'x'\n\
             key_file = 'good.key'\n",
        )
        .expect("loaded");
        let kind = |name: &str| catalogue.find(name, "").expect(name).model().kind.expect(name);
        assert_eq!(kind("digits"), ModelKind::Classifier);
        assert_eq!(kind("carried"), ModelKind::Text);
        assert_eq!((kind("own"), kind("vectors")), (ModelKind::Text, ModelKind::Embedding));
        let samplers = |name: &str| catalogue.find(name, "").expect(name).model().samplers.clone();
        assert_eq!(samplers("own"), ["greedy", "gumbel/v1"]);
        assert_eq!((samplers("far"), samplers("near")), (vec!["greedy".into()], vec!["greedy".to_owned()]));
        let digest = |name: &str| catalogue.find(name, "").expect(name).model().digest;
        assert_eq!((digest("far"), digest("near")), (digest_of_name("x"), digest_of_name("x")));
        let near = "[[model]]\nname = 'near'\nkind = 'text'\nbackend = 'openai'\nurl = 'http://127.0.0.1:1'\nmodel = 'x'\n";
        for (keys, expected) in [("path = 'llama'", digest("own")), ("", digest_of_name("x"))] {
            let found = load_all(&format!("{near}{keys}\n")).expect("loaded");
            assert_eq!(found.find("near", "").expect("served").model().digest, expected, "{keys}");
        }
        let called = |digest: &str| {
            load_all(&format!(
                "[[model]]\nname = 'own'\nkind = 'text'\npath = 'llama'\ndigest = '{digest}'\n"
            ))
        };
        assert!(called(&digest("own").to_string()).is_ok());
        let other = called(&digest("near").to_string()).expect_err("refused").to_string();
        assert!(other.contains(&digest("own").to_string()), "{other}");

        let asked = TextRequest::greedy("the", 3).to_infer("own", "1").expect("small");
        let answer = catalogue.find(&asked.model, "").expect("served").infer(&asked).await.expect("answered");
        let limits = TextLimits { prompt_bytes: 64, prompt_tokens: 64, max_tokens: 3 };
        assert!(!TextAnswer::from_infer(&answer, &limits).expect("well-formed").tokens.is_empty());
        let asked = TextsRequest { texts: vec!["the model".into(), "another".into()] };
        let answer = catalogue
            .find("vectors", "")
            .expect("served")
            .infer(&asked.to_infer("vectors", "2").expect("small"))
            .await
            .expect("answered");
        let limits = TextsLimits { texts: 2, bytes: 64, dimensions: 4_096 };
        assert_eq!(TextsAnswer::from_infer(&answer, &limits).expect("well-formed").rows.nrows(), 2);
        let asked = TextRequest::greedy("the", 3).to_infer("near", "1").expect("small");
        assert!(matches!(
            catalogue.find(&asked.model, "").expect("served").infer(&asked).await,
            Err(EngineError::Backend(_))
        ));
    }

    #[tokio::test]
    async fn a_model_that_can_not_be_loaded_is_named() {
        let remote =
            "name = 'm'\nkind = 'text'\nbackend = 'openai'\nurl = 'http://h:1'\nmodel = 'x'\nkey_file";
        let cases = [
            ("name = 'm'\nkind = 'text'\npath = 'nobody/model'".to_owned(), "no such model"),
            ("name = 'm'\nkind = 'text'\npath = 'nowhere'".into(), "\"m\""),
            ("name = 'm'\nkind = 'text'\npath = 'bert'".into(), "\"m\""),
            ("name = 'm'\nkind = 'embed'\npath = 'llama'".into(), "\"m\""),
            (format!("{remote} = 'two.key'"), "two.key"),
            (format!("{remote} = 'no.key'"), "no.key"),
        ];
        for (model, word) in cases {
            let error = load_all(&format!("[[model]]\n{model}")).expect_err(word).to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
