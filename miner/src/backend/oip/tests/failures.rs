//! What goes wrong, and whose it is.

use super::*;

#[tokio::test]
async fn wishes_that_a_model_has_no_input_for_are_refused_or_told() {
    let inputs = vec![("text_input", "BYTES", vec![1], false), ("max_tokens", "INT32", vec![1], true)];
    let whole = Some(Ok(answer("a", &[1], Some(Finish::End))));
    let fake = Fake { inputs: Arc::new(Mutex::new(inputs)), configured: true, whole, ..Fake::default() };
    let error = async |request| match pieces(&fake, request).await.pop() {
        Some(Err(EngineError::Backend(error))) => error,
        other => panic!("{other:?}"),
    };
    let stopped = TextRequest { stop: vec!["x".into()], ..TextRequest::greedy("hi", 2) };
    assert_eq!(error(stopped).await, BackendError::Unsuited("its model takes no stop words".into()));
    let ids =
        TextRequest { prompt: weighhouse_types::text::Prompt::Ids(vec![1]), ..TextRequest::greedy("", 2) };
    assert!(matches!(error(ids).await, BackendError::Unsuited(_)));
    assert!(
        matches!(error(greedy()).await, BackendError::Unsuited(why) if why.contains("no input by which"))
    );
    assert_eq!(pieces(&fake, TextRequest::greedy("hi", 2)).await.len(), 1);
}

#[tokio::test]
async fn failures_are_definite_and_whose_they_are_follows_from_their_words() {
    let good = || message(answer("a", &[1], None));
    let error = |error_message: &str| {
        Ok(ModelStreamInferResponse { error_message: error_message.into(), infer_response: None })
    };
    let long = "Error generating stream: The decoder prompt (length 300) is longer than the maximum model length of 256.";
    let malformed = |found: &BackendError| matches!(found, BackendError::Malformed(_));
    type Check<'a> = &'a dyn Fn(&BackendError) -> bool;
    let cases: [(Vec<Message>, Check<'_>); 10] = [
        (vec![good(), error("CUDA out of memory")], &|found| matches!(found, BackendError::Failed(_))),
        (vec![good(), error(long)], &|found| matches!(found, BackendError::Refused(_))),
        (vec![good(), Err(Status::internal(long))], &|found| matches!(found, BackendError::Refused(_))),
        (vec![good(), error("")], &malformed),
        (vec![good(), Err(Status::unavailable("gone"))], &|found| {
            matches!(found, BackendError::Unreachable(_))
        }),
        (vec![good(), Err(Status::unavailable("Exceeds maximum queue size"))], &|found| {
            *found == BackendError::Busy
        }),
        (vec![good(), Err(Status::resource_exhausted("full"))], &|found| *found == BackendError::Busy),
        (vec![good(), Err(Status::not_found("no model"))], &|found| {
            matches!(found, BackendError::Misconfigured(_))
        }),
        (
            vec![
                good(),
                message(ModelInferResponse { raw_output_contents: vec![vec![1]], ..answer("a", &[1], None) }),
            ],
            &malformed,
        ),
        (vec![good(), error("unexpected shape for input 'text_input' for model 'tiny'")], &|found| {
            matches!(found, BackendError::Misconfigured(_))
        }),
    ];
    for (at, (items, check)) in cases.into_iter().enumerate() {
        match pieces(&streamed(items), greedy()).await.last() {
            Some(Err(EngineError::Backend(found))) => assert!(check(found), "case {at}: {found}"),
            other => panic!("case {at}: {other:?}"),
        }
    }
    let found = pieces(&streamed(vec![]), greedy()).await;
    assert_eq!(found, [Err(BackendError::Disconnected.into())]);
    let trace = "Failed to process the request(s) for model 'whole_0_0', message: Traceback (most recent call last):\n  \
                 File \"model.py\", line 11, in run\n    raise ValueError(\"no\")\nValueError: no\n\n\n\nAt:\n  model.py(501): execute\n";
    let found = pieces(&streamed(vec![good(), Err(Status::internal(trace))]), greedy()).await;
    let cause = BackendError::Failed("Internal: ValueError: no".into());
    assert_eq!(found.last(), Some(&Err(cause.into())));
}

#[tokio::test]
async fn a_server_that_is_not_there_does_not_stop_the_start_and_is_unreachable() {
    let backend = oip(nowhere().await);
    assert_eq!(backend.prepare().await, Ok(()));
    let found: Vec<_> = backend.generate(TextRequest::greedy("hi", 2)).collect().await;
    assert!(matches!(&found[..], [Err(EngineError::Backend(BackendError::Unreachable(_)))]), "{found:?}");
}
