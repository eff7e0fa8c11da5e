//! A byte-pair tokenizer (R. Sennrich and others, 2016) over bytes, and a text's tokens.

use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer, TokenizerBuilder};

use crate::error::TrainError;

/// The token between documents, which ends a text. The first one.
const END: &str = "<|end|>";

/// The `tokenizer.json` of a byte-pair tokenizer with `size` tokens, trained on documents.
///
/// # Errors
/// Refusals of the library.
pub(crate) fn tokenizer(documents: &[String], size: usize) -> Result<String, TrainError> {
    let refuse = |error: tokenizers::Error| TrainError::Tokenizer(error.to_string());
    let mut trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(2)
        .special_tokens(vec![AddedToken::from(END, true)])
        // All 256 bytes, so that the tokens can spell any text.
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let bytes = ByteLevel::new(false, true, true);
    let mut tokenizer = TokenizerBuilder::<BPE, NormalizerWrapper, ByteLevel, ByteLevel, ByteLevel>::new()
        .with_model(BPE::default())
        .with_normalizer(None)
        .with_pre_tokenizer(Some(bytes))
        .with_post_processor(Some(bytes))
        .with_decoder(Some(bytes))
        .build()
        .map_err(refuse)?;
    tokenizer.train(&mut trainer, documents.iter()).map_err(refuse)?;
    tokenizer.to_string(false).map_err(refuse)
}

/// The tokens to train on and those held out, every `each`th document; an end after each document.
pub(super) fn tokens(
    documents: &[String],
    tokenizer: &str,
    each: usize,
) -> Result<(Vec<u32>, Vec<u32>), TrainError> {
    let refuse = |error: tokenizers::Error| TrainError::Tokenizer(error.to_string());
    let tokenizer = Tokenizer::from_bytes(tokenizer).map_err(refuse)?;
    let end =
        tokenizer.token_to_id(END).ok_or_else(|| TrainError::Tokenizer(format!("it has no token {END}")))?;
    let (mut training, mut held_out) = (Vec::new(), Vec::new());
    for (index, document) in documents.iter().enumerate() {
        let encoding = tokenizer.encode_fast(&document[..], false).map_err(refuse)?;
        let tokens = if index.is_multiple_of(each) { &mut held_out } else { &mut training };
        tokens.extend_from_slice(encoding.get_ids());
        tokens.push(end);
    }
    Ok((training, held_out))
}
