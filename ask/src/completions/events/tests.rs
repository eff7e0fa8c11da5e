use super::*;

fn read(pieces: &[&[u8]]) -> Result<Vec<(EventKind, String)>, CompletionError> {
    let mut events = Events::new(1 << 20);
    let mut found = Vec::new();
    let mut take = |events: &mut Events| {
        while let Some(event) = events.next() {
            found.push((event.kind, String::from_utf8(event.data).expect("text")));
        }
    };
    for piece in pieces {
        events.push(piece)?;
        take(&mut events);
    }
    events.end();
    take(&mut events);
    Ok(found)
}

fn data(text: &str) -> (EventKind, String) {
    (EventKind::Data, text.to_owned())
}

#[test]
fn events_come_out_whole_however_the_bytes_are_cut() {
    let stream = b"\xef\xbb\xbfdata: {\"a\":1}\n\n: a comment\n\nevent: x\r\ndata:two\r\ndata: lines\r\n\r\nretry: 5\n\
        data: returns\r\rid: 7\nerror: {\"code\":400}\n\n{\"pretty\":\n  1}\n\ndata: [DONE]\n\n";
    let expected = vec![
        data("{\"a\":1}"),
        data("two\nlines"),
        data("returns"),
        (EventKind::Error, "{\"code\":400}".to_owned()),
        (EventKind::Unframed, "{\"pretty\":\n  1}".to_owned()),
        data("[DONE]"),
    ];
    assert_eq!(read(&[stream]), Ok(expected.clone()));
    for cut in 1..stream.len() {
        assert_eq!(read(&[&stream[..cut], &stream[cut..]]), Ok(expected.clone()), "cut at {cut}");
    }
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(read(&single), Ok(expected));
}

#[test]
fn what_servers_send_in_place_of_events_is_not_lost() {
    let unframed = |text: &str| (EventKind::Unframed, text.to_owned());
    let cases: [(&str, Vec<(EventKind, String)>); 9] = [
        ("{\"choices\":[]}", vec![unframed("{\"choices\":[]}")]),
        ("<html>\n<p>502</p>", vec![unframed("<html>\n<p>502</p>")]),
        ("ValueError: boom", vec![unframed("ValueError: boom")]),
        ("Internal Server Error", vec![unframed("Internal Server Error")]),
        ("event: error\ndata: boom\n\ndata: a\n\n", vec![(EventKind::Error, "boom".into()), data("a")]),
        ("Error: boom", vec![(EventKind::Error, "boom".into())]),
        ("data: a\n{\"error\":1}\n", vec![data("a"), unframed("{\"error\":1}")]),
        (" \n\ndata: a\n\n\t \n\ndata: b\n\n", vec![data("a"), data("b")]),
        ("warning: x\nkeep-alive: y\ndata\ndata:\n\n", vec![]),
    ];
    for (stream, expected) in cases {
        assert_eq!(read(&[stream.as_bytes()]), Ok(expected), "{stream}");
    }
}

#[test]
fn an_event_that_the_end_cuts_says_so() {
    let mut events = Events::new(1 << 20);
    events.push(b"data: whole\n\ndata: half").expect("small");
    assert!(events.next().expect("one").is_whole);
    assert_eq!(events.next(), None);
    events.end();
    let last = events.next().expect("the rest");
    assert_eq!((last.data.as_slice(), last.is_whole), (&b"half"[..], false));
    assert_eq!(events.next(), None);
}

#[test]
fn an_endless_line_event_or_stream_is_cut_off() {
    let junk = vec![b'x'; 4096];
    let endless: Vec<&[u8]> = std::iter::repeat_n(&junk[..], 80).collect();
    assert_eq!(read(&endless), Err(CompletionError::OversizedEvent(EVENT_BYTES_MAX)));
    let line = [b"data: ", &junk[..], b"\n"].concat();
    let endless: Vec<&[u8]> = std::iter::repeat_n(&line[..], 80).collect();
    assert_eq!(read(&endless), Err(CompletionError::OversizedEvent(EVENT_BYTES_MAX)));
    let comment = [b": ", &junk[..], b"\n\n"].concat();
    let endless: Vec<&[u8]> = std::iter::repeat_n(&comment[..], 300).collect();
    assert_eq!(read(&endless), Err(CompletionError::Oversized(1 << 20)));
    let document = [b"{", &junk[..]].concat();
    let endless: Vec<&[u8]> = std::iter::repeat_n(&document[..], 300).collect();
    assert_eq!(read(&endless), Err(CompletionError::Oversized(1 << 20)));
}
