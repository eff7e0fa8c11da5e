//! What is labelled: scans of handwritten digits, or sentences of four topics that are written from a seed.

use parity_scale_codec::Encode;
use rand_chacha::ChaCha20Rng;
use serde::Deserialize;
use weighhouse_models::digits::{self, CLASSES, PIXELS};
use weighhouse_models::draw::below;
use weighhouse_models::perturb::{Perturbation, perturb};
use weighhouse_types::scans::ScansRequest;
use weighhouse_types::{InferRequest, Tensor};

/// The texts, one behind the other; the names of the classes that they have.
pub(super) const TEXTS: &str = "text";
const NAMES: &str = "classes";
/// Class numbers in an answer to texts: these and no others, but for [`SKIP`] and [`UNSURE`].
pub(super) const LABELS: &str = "label";
/// Another should look at this one.
pub(super) const SKIP: i64 = -1;
/// Looked at, and can't tell.
pub(super) const UNSURE: i64 = -2;

const TURNED: Perturbation = Perturbation { max_shift_px: 0.5, max_rotation_degrees: 10.0, noise_sigma: 0.1 };

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    Scans,
    Texts,
}

/// The items of a batch.
#[derive(Debug, Encode)]
pub(super) enum Items {
    #[codec(index = 0)]
    Scans(Vec<f32>),
    #[codec(index = 1)]
    Texts(Vec<String>),
}

/// A topic, by its words.
struct Topic {
    name: &'static str,
    subjects: [&'static str; 6],
    events: [&'static str; 6],
}

const TOPICS: [Topic; 4] = [
    Topic {
        name: "weather",
        subjects: ["a storm", "the fog", "heavy snow", "a warm wind", "the thaw", "light rain"],
        events: [
            "moves in from the sea",
            "lifts by noon",
            "closes the pass",
            "keeps the night mild",
            "floods the low road",
            "brings hail",
        ],
    },
    Topic {
        name: "cooking",
        subjects: ["the dough", "a thick soup", "the roast", "fresh pasta", "the sauce", "a plum cake"],
        events: [
            "rests under a cloth",
            "simmers for an hour",
            "needs more salt",
            "browns in butter",
            "thickens with flour",
            "cools on the rack",
        ],
    },
    Topic {
        name: "sport",
        subjects: [
            "the keeper",
            "a young sprinter",
            "the home side",
            "the champion",
            "a late substitute",
            "the relay team",
        ],
        events: [
            "wins by a second",
            "saves the penalty",
            "leads the table",
            "drops the baton",
            "scores in extra time",
            "trains at altitude",
        ],
    },
    Topic {
        name: "money",
        subjects: ["the bank", "a small saver", "the bond", "the grocer", "an old debt", "the exchange"],
        events: [
            "raises its rate",
            "pays interest in spring",
            "loses a tenth of its price",
            "closes the account",
            "falls due on Friday",
            "asks for security",
        ],
    },
];
const OPENINGS: [&str; 4] = ["This week", "As everybody expected", "To our surprise", "Once more"];

impl Form {
    pub(super) fn classes(self) -> usize {
        match self {
            Self::Scans => CLASSES,
            Self::Texts => TOPICS.len(),
        }
    }

    /// Items with the class of each.
    pub(super) fn draw(self, count: usize, rng: &mut ChaCha20Rng) -> (Items, Vec<u8>) {
        match self {
            Self::Scans => {
                let (mut pixels, mut truth) = (Vec::with_capacity(count * PIXELS), Vec::new());
                for _ in 0..count {
                    let at = below(digits::HELD_OUT as u32, rng) as usize;
                    let scan = digits::held_out_scan(at).expect("one of the held-out scans");
                    pixels.extend(perturb(scan.pixels, &TURNED, rng));
                    truth.push(scan.digit);
                }
                (Items::Scans(pixels), truth)
            }
            Self::Texts => {
                let (texts, truth) = (0..count).map(|_| sentence(rng)).unzip();
                (Items::Texts(texts), truth)
            }
        }
    }
}

fn sentence(rng: &mut ChaCha20Rng) -> (String, u8) {
    let mut one = |of: usize| below(of as u32, rng) as usize;
    let (class, opening) = (one(TOPICS.len()), OPENINGS[one(OPENINGS.len())]);
    let topic = &TOPICS[class];
    let (subject, event) = (topic.subjects[one(6)], topic.events[one(6)]);
    (format!("{opening}, {subject} {event}."), class as u8)
}

impl Items {
    /// The request for labels of some of the items.
    pub(super) fn request(&self, some: &[usize]) -> InferRequest {
        match self {
            Self::Scans(pixels) => {
                let of = |item: &usize| &pixels[item * PIXELS..(item + 1) * PIXELS];
                let pixels = some.iter().flat_map(of).copied().collect();
                ScansRequest { pixels }.to_infer("", "")
            }
            Self::Texts(texts) => {
                let texts: Vec<&String> = some.iter().map(|item| &texts[*item]).collect();
                let names: Vec<&str> = TOPICS.iter().map(|topic| topic.name).collect();
                let tensor = |name, texts| Tensor::texts(name, texts).expect("short names");
                InferRequest::asking(
                    vec![Tensor::texts(TEXTS, &texts).expect("short names"), tensor(NAMES, &names)],
                    &[LABELS],
                )
            }
        }
    }
}

/// The topic that a sentence's words are of, as somebody who reads it sees it.
pub(super) fn topic(text: &str) -> usize {
    let has = |topic: &Topic| {
        topic.subjects.iter().chain(&topic.events).filter(|words| text.contains(**words)).count()
    };
    (0..TOPICS.len()).max_by_key(|class| has(&TOPICS[*class])).unwrap_or(0)
}
