use super::*;

fn state() -> SubnetState {
    let neuron = |uid: u16| Neuron {
        uid: Uid(uid),
        hotkey: Hotkey([1; 32]),
        coldkey: Coldkey([2; 32]),
        registered_at: Block(3),
        stake: Rao(4),
        validator_permit: true,
        active: uid == 0,
        last_update: Block(5),
        axon: (uid == 1).then(|| Axon::new("127.0.0.1:8091".parse().expect("an address"), 6, Block(7))),
        incentive: 8,
        dividends: 9,
        consensus: 10,
        validator_trust: 11,
        emission: Rao(12),
    };
    SubnetState {
        head: Head { number: Block(20), hash: Digest([21; 32]) },
        metagraph: Metagraph {
            netuid: Netuid(1),
            block: Block(20),
            owner: Some(Uid(1)),
            neurons: vec![neuron(0), neuron(1)],
        },
        hyperparameters: Hyperparameters {
            alpha_sigmoid_steepness: -7,
            kappa: 13,
            ..Hyperparameters::default()
        },
        schedule: Schedule {
            epoch: Epoch(14),
            last_epoch_block: Block(15),
            tempo: 16,
            pending_epoch_at: Some(Block(17)),
            blocks_since_last_step: 18,
        },
    }
}

#[test]
fn a_subnet_round_trips() {
    assert_eq!(SubnetState::try_from(v1::SubnetResponse::from(state())), Ok(state()));
}

#[test]
fn a_subnet_that_contradicts_itself_is_refused() {
    type Change = fn(&mut v1::SubnetResponse);
    let changes: [(&str, Change); 8] = [
        ("block_hash", |message| message.block_hash.truncate(31)),
        ("netuid", |message| message.netuid = 65_536),
        ("owner", |message| message.owner = Some(2)),
        ("hotkey", |message| message.neurons[0].hotkey.push(0)),
        ("incentive", |message| message.neurons[1].incentive = 65_536),
        ("ip", |message| message.neurons[1].axon.as_mut().expect("set").ip.clear()),
        ("hyperparameters", |message| message.hyperparameters = None),
        ("schedule", |message| message.schedule = None),
    ];
    for (field, change) in changes {
        let mut message = v1::SubnetResponse::from(state());
        change(&mut message);
        assert_eq!(SubnetState::try_from(message).map_err(|error| error.field), Err(field));
    }
}

#[test]
fn a_row_round_trips_and_a_wide_value_is_refused() {
    let row = vec![(Uid(1), 65_535), (Uid(0), 0)];
    assert_eq!(Vec::try_from(v1::RowResponse::from(row.clone())), Ok(row));
    let wide = v1::RowResponse { entries: vec![v1::RowEntry { uid: 0, value: 65_536 }] };
    assert_eq!(Vec::<(Uid, u16)>::try_from(wide), Err(wrong("value", "is too large")));
}
