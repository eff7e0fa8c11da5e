use super::*;

fn keys(text: &str) -> Result<(ChainAddress, Vec<String>), AddressError> {
    #[derive(serde::Deserialize)]
    struct Table {
        network: Option<String>,
        endpoints: Option<EndpointList>,
        endpoint: Option<String>,
    }
    let Table { network, endpoints, endpoint } = toml::from_str(text).expect("a table");
    ChainKeys { network, endpoints, endpoint }.read()
}

#[test]
fn a_name_says_which_chain_and_addresses_say_where() {
    let cases = [
        ("", "http://127.0.0.1:9944", false),
        ("network = \"ledger\"", "ledger", false),
        ("network = \"finney\"", "finney", true),
        ("endpoints = [\"http://10.0.0.1:9944\"]", "http://10.0.0.1:9944", false),
        ("endpoints = [\"wss://a\", \"ws://b\"]", "wss://a,ws://b", true),
        ("network = \"test\"\nendpoints = [\"wss://a\"]", "test at wss://a", true),
        ("network = \" Finney \"", "finney", true),
        ("endpoints = [\" HTTP://Node.Example:9944// \"]", "http://node.example:9944", false),
        ("endpoints = [\"WSS://A:443/Key/\", \"ws://B/\"]", "wss://a:443/Key/,ws://b", true),
    ];
    for (text, shown, subtensor) in cases {
        let (address, warnings) = keys(text).expect(text);
        assert_eq!((address.to_string().as_str(), address.is_subtensor()), (shown, subtensor), "{text}");
        assert!(warnings.is_empty(), "{text}: {warnings:?}");
    }
}

#[test]
fn old_spellings_are_read_and_answered_with_the_new_one() {
    let cases = [
        ("endpoint = \"finney\"", "write `network = \"finney\"`"),
        ("endpoint = \"http://a:1\"", "write `endpoints = [\"http://a:1\"]`"),
        ("network = \"wss://a,wss://b\"", "write `endpoints = [\"wss://a\", \"wss://b\"]`"),
        ("endpoints = \"wss://a, wss://b\"", "write `endpoints = [\"wss://a\", \"wss://b\"]`"),
    ];
    for (text, advice) in cases {
        let (_, warnings) = keys(text).expect(text);
        assert_eq!(warnings.len(), 1, "{text}: {warnings:?}");
        assert!(warnings[0].ends_with(advice), "{}", warnings[0]);
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let cases = [
        ("network = \"finey\"", AddressError::Unknown("finey".into())),
        ("endpoints = [\"10.0.0.1:9944\"]", AddressError::Scheme("10.0.0.1:9944".into())),
        ("endpoints = [\"ws://\"]", AddressError::Scheme("ws://".into())),
        ("endpoints = [\"http://a\"]", AddressError::Ledger("http://a".into())),
        ("endpoints = [\"https://a:443\"]", AddressError::Ledger("https://a:443".into())),
        ("endpoints = [\"http://a:1/path\"]", AddressError::Ledger("http://a:1/path".into())),
        ("endpoints = [\"ws://a\", \"http://b\"]", AddressError::Mixed("ws://a".into(), "http://b".into())),
        ("endpoints = [\"http://a\", \"http://b\"]", AddressError::LedgerOnce { given: 2 }),
        (
            "network = \"finney\"\nendpoints = [\"http://a\"]",
            AddressError::OtherKind { network: "finney", address: "http://a".into() },
        ),
        ("network = \"finney\"\nendpoint = \"wss://a\"", AddressError::Twice { new: "endpoints" }),
    ];
    for (text, error) in cases {
        assert_eq!(keys(text), Err(error), "{text}");
    }
    let many = vec!["ws://a".to_owned(); ENDPOINTS_MAX + 1];
    assert_eq!(ChainAddress::new(None, many), Err(AddressError::TooMany { given: ENDPOINTS_MAX + 1 }));
}

#[test]
fn the_command_line_takes_a_name_or_addresses() {
    let parse = |text: &str| text.parse::<ChainAddress>();
    for name in ["local", "Archive", "FINNEY "] {
        assert!(parse(name).expect("a name").is_subtensor(), "{name}");
    }
    assert_eq!(parse("WS://A").expect("an address").endpoints(), ["ws://a"]);
    assert_eq!(parse("wss://a, wss://b").expect("addresses").endpoints(), ["wss://a", "wss://b"]);
    assert_eq!(parse("").expect_err("nothing"), AddressError::Unknown(String::new()));
    assert_eq!(parse("wsx://a").expect_err("no scheme"), AddressError::Scheme("wsx://a".into()));
}
