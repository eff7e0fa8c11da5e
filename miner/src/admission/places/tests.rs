use super::*;

const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
const ALICE: Hotkey = Hotkey([1; 32]);
const BOB: Hotkey = Hotkey([2; 32]);

fn places(proven: usize, unproven: usize, unproven_per_network: usize) -> Arc<Places> {
    Places::new(PlaceLimits { proven, unproven, unproven_per_network, unproven_bytes: 400 })
}

fn is_evicted(place: &Place) -> bool {
    place.evicted.is_cancelled()
}

#[test]
fn the_oldest_of_a_full_network_makes_room_and_others_never_notice() {
    let places = places(8, 100, 2);
    let other = places.enter(OTHER);
    let first: Vec<_> = (0..3).map(|_| places.enter(ONE)).collect();
    assert_eq!(first.iter().map(|place| is_evicted(place)).collect::<Vec<_>>(), [true, false, false]);
    assert!(!is_evicted(&other));
    assert!(first[0].prove(&ALICE, 1).is_err(), "it has no place to give up");
    assert!(first[1].prove(&ALICE, 1).is_ok());
    let more: Vec<_> = (0..5).map(|_| places.enter(ONE)).collect();
    assert!(!is_evicted(&first[1]), "a proven request stays");
    drop((first, more, other));
    let held = places.held();
    assert_eq!((held.unproven_count, held.unproven.len(), held.proven, held.own.len()), (0, 0, 0, 0));
}

#[test]
fn a_full_pool_makes_room_where_most_are_waiting() {
    let places = places(8, 3, 100);
    let (one, other) = ([places.enter(ONE), places.enter(ONE)], places.enter(OTHER));
    let _next = places.enter(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3)));
    assert!(is_evicted(&one[0]) && !is_evicted(&one[1]) && !is_evicted(&other));
}

#[test]
fn bodies_that_are_never_proven_make_room_by_their_bytes() {
    let places = places(8, 100, 100);
    let first: Vec<_> = (0..3).map(|_| places.enter(ONE)).collect();
    first.iter().for_each(|place| place.reads(45));
    assert_eq!(first.iter().map(|place| is_evicted(place)).collect::<Vec<_>>(), [true, false, false]);
    let large = places.enter(OTHER);
    large.reads(4_000);
    assert!(is_evicted(&large) && !is_evicted(&first[2]), "over the limit of all");
    drop((first, large));
    assert_eq!(places.held().unproven_bytes, 0);
}

#[test]
fn a_place_that_was_given_back_is_not_given_back_again() {
    let places = places(1, 100, 100);
    let slow = places.enter(ONE);
    assert!(slow.prove(&ALICE, 1).is_ok());
    slow.give_back();
    let next = places.enter(ONE);
    assert!(next.prove(&BOB, 1).is_ok());
    drop(slow);
    assert_eq!(places.held().proven, 1);
}

#[test]
fn one_caller_leaves_the_others_their_own_places() {
    let places = places(8, 100, 100);
    let prove = |caller: &Hotkey, own| {
        let place = places.enter(ONE);
        place.prove(caller, own).map(|()| place)
    };
    let hog: Vec<_> = std::iter::from_fn(|| prove(&ALICE, 2).ok()).collect();
    assert_eq!(hog.len(), 2 + 4, "its own, and all of anybody's");
    let small: Vec<_> = std::iter::from_fn(|| prove(&BOB, 2).ok()).collect();
    assert_eq!(small.len(), 2);
    drop(hog);
    assert_eq!(std::iter::from_fn(|| prove(&BOB, 2).ok()).collect::<Vec<_>>().len(), 4);
}

#[test]
fn there_are_never_more_than_all_places() {
    let places = places(2, 100, 100);
    let callers: Vec<_> = (0..9).map(|at| Hotkey([at; 32])).collect();
    let taken: Vec<_> = callers
        .iter()
        .map(|caller| (places.enter(ONE), caller))
        .filter(|(place, caller)| place.prove(caller, 1).is_ok())
        .collect();
    assert_eq!(taken.len(), 2);
}
