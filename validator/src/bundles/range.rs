//! The part of a file that a request asks for, so that a download that broke off goes on where it ended.

use std::ops::Range;

use http::{HeaderMap, header};

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Whole,
    Part(Range<u64>),
    /// Nothing: the part lies behind the file's end.
    Beyond,
}

/// What these headers ask of a file of this size and tag. Several parts at once, and what can't be read, mean the whole file.
pub(super) fn asked(headers: &HeaderMap, size: u64, tag: &str) -> Asked {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    // A part of another file than the one that the caller has would be worse than none.
    if text(header::IF_RANGE).is_some_and(|had| had != tag) {
        return Asked::Whole;
    }
    let range = text(header::RANGE).and_then(|range| range.trim().strip_prefix("bytes="));
    let Some((from, to)) = range.and_then(|range| range.split_once('-')) else { return Asked::Whole };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    match (number(from), number(to)) {
        (Some(from), _) if from >= size && (to.trim().is_empty() || number(to).is_some()) => Asked::Beyond,
        (Some(from), None) if to.trim().is_empty() => Asked::Part(from..size),
        (Some(from), Some(to)) if from <= to => Asked::Part(from..to.saturating_add(1).min(size)),
        (None, Some(0)) if from.trim().is_empty() => Asked::Beyond,
        (None, Some(last)) if from.trim().is_empty() => Asked::Part(size.saturating_sub(last)..size),
        _ => Asked::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str, if_range: Option<&str>) -> Asked {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().expect("a value"));
        if let Some(tag) = if_range {
            headers.insert(header::IF_RANGE, tag.parse().expect("a value"));
        }
        asked(&headers, 100, "\"tag\"")
    }

    #[test]
    fn one_part_is_sent_as_it_was_asked_for() {
        for (range, part) in [
            ("bytes=0-", 0..100),
            ("bytes=10-19", 10..20),
            ("bytes=99-", 99..100),
            ("bytes=90-1000", 90..100),
            ("bytes=-7", 93..100),
            ("bytes=-700", 0..100),
            ("bytes=0-18446744073709551615", 0..100),
        ] {
            assert_eq!(of(range, None), Asked::Part(part), "{range}");
        }
        assert_eq!(of("bytes=5-", Some("\"tag\"")), Asked::Part(5..100));
    }

    #[test]
    fn what_cannot_be_read_means_the_whole_file_and_what_lies_beyond_it_nothing() {
        for range in ["bytes=", "bytes=a-b", "bytes=5-2", "bytes=0-1,5-9", "items=0-1", "bytes=--1", "5-9"] {
            assert_eq!(of(range, None), Asked::Whole, "{range}");
        }
        assert_eq!(of("bytes=5-", Some("\"another\"")), Asked::Whole);
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(of(range, None), Asked::Beyond, "{range}");
        }
    }
}
