//! The canonical text of a query reads as the same query; no text makes the parser panic.

use std::ops::Bound;

use proptest::collection::vec;
use proptest::prelude::*;
use query::*;

const NOW: audit::Micros = 1_795_303_500_000_000;

fn reads_back(query: &Query) -> Result<(), TestCaseError> {
    let text = query.to_string();
    let again = Query::parse(&text, &Context::utc(NOW));
    prop_assert_eq!(again.as_ref(), Ok(query), "{}", text);
    Ok(())
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let piece = prop_oneof![
        4 => "[a-zA-Z0-9:./_-]{1,6}".prop_map(Piece::Text),
        1 => ".{1,4}".prop_map(Piece::Text),
        1 => Just(Piece::One),
        1 => Just(Piece::Many),
    ];
    vec(piece, 1..4).prop_map(Pattern::new).prop_filter("means another test", |pattern| {
        !pattern.is_any() && pattern.as_literal().is_none_or(|text| !text.is_empty() && !text.contains("/"))
    })
}

fn name_pattern() -> impl Strategy<Value = Pattern> {
    pattern().prop_filter("is an address or two fields", |pattern| {
        let text = pattern.to_string();
        !text.contains('/') && text.parse::<std::net::IpAddr>().is_err()
    })
}

fn field_term() -> impl Strategy<Value = Expr> {
    let fields: Vec<Field> = Field::all().collect();
    let any = (any::<u32>(), 0u8..24)
        .prop_map(|(bits, length)| ipnet::IpNet::V4(ipnet::Ipv4Net::new(bits.into(), length).unwrap()).trunc());
    (proptest::sample::select(fields), name_pattern(), any, -100_000i64..100_000, 0i64..1_000_000, 0..5).prop_map(
        |(field, pattern, network, low, length, choice)| {
            let low = if field == Field::Time || field == Field::Received { NOW + low } else { low };
            let test = match (field.kind(), choice) {
                (_, 0) => Test::Exists,
                (Kind::Keyword, _) => Test::Is(pattern),
                (Kind::Words, _) => Test::Has(pattern),
                (Kind::Address, 1) => Test::Is(pattern),
                (Kind::Address, _) => Test::Inside(network),
                (_, 1) => Test::Within(Range { low: Some(low), high: None }),
                (_, 2) => Test::Within(Range { low: None, high: Some(low) }),
                (_, 3) => Test::Within(Range { low: Some(low), high: Some(low) }),
                (_, _) => Test::Within(Range { low: Some(low), high: Some(low + length) }),
            };
            Expr::field(field, test)
        },
    )
}

fn path_term() -> impl Strategy<Value = Expr> {
    let step = prop_oneof![
        3 => "[a-zA-Z_-]{1,6}".prop_map(Step::Key),
        1 => ".{1,4}".prop_map(Step::Key),
        1 => (0u32..9).prop_map(Step::Index),
        1 => Just(Step::Any),
    ];
    let roots: Vec<Root> = Root::all().map(|(root, _)| root).collect();
    let path = (proptest::sample::select(roots), vec(step, 1..4)).prop_map(|(root, steps)| Path { root, steps });
    let path = path.prop_filter("is a field", |path| matches!(Target::of_path(path.clone()), Target::Path(_)));
    let number = prop_oneof![any::<i32>().prop_map(f64::from), -1e9..1e9];
    (path, pattern(), number, 0.1..1e9, 0..6).prop_map(|(path, pattern, low, length, choice)| {
        let between = |low, high| Test::Between(NumberRange { low, high });
        let test = match choice {
            0 => Test::Exists,
            1 => between(Bound::Excluded(low), Bound::Unbounded),
            2 => between(Bound::Unbounded, Bound::Included(low)),
            3 => between(Bound::Included(low), Bound::Excluded(low + length)),
            _ => Test::Is(pattern),
        };
        Expr::Term(Term { target: Target::Path(path), test })
    })
}

fn expr() -> impl Strategy<Value = Expr> {
    let text = pattern().prop_map(|pattern| Expr::Term(Term { target: Target::Anything, test: Test::Has(pattern) }));
    let leaf = prop_oneof![4 => field_term(), 2 => path_term(), 2 => text];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(Expr::negate),
            vec(inner.clone(), 1..4).prop_map(Expr::and),
            vec(inner, 1..4).prop_map(Expr::or),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_text_reads_as_the_same_query(expr in expr()) {
        reads_back(&Query { expr })?;
    }

    #[test]
    fn whatever_is_read_can_be_written_and_read(text in "([a-z]{1,5}|verb|code|ip|time|request\\.a|[:()\\[\\]\"*?,!<>={}|&.\\\\-]| |AND|OR|TO|4..5|[0-9]{1,3}|2h|10.0.0.0/8){0,12}") {
        if let Ok(query) = Query::parse(&text, &Context::utc(NOW)) {
            reads_back(&query)?;
        }
    }

    #[test]
    fn hostile_text_gives_a_value_or_an_error_that_can_be_shown(text in "\\PC{0,40}|[\\s\\S]{0,40}") {
        if let Err(error) = Query::parse(&text, &Context::utc(NOW)) {
            prop_assert!(!error.render(&text).is_empty());
        }
    }
}

#[test]
fn limits_are_errors() {
    let deep = "(".repeat(DEPTH_MAX + 1);
    let not = "-".repeat(DEPTH_MAX + 1) + "a";
    let many = "a ".repeat(TERMS_MAX + 1);
    let long = "a".repeat(QUERY_BYTES_MAX + 1);
    let inside = format!("user:{}", "(".repeat(QUERY_BYTES_MAX / 2));
    for text in [deep, not, many, long, inside] {
        let error = Query::parse(&text, &Context::utc(NOW)).unwrap_err();
        assert!(
            matches!(error.problem, Problem::TooDeep { .. } | Problem::TooManyTerms { .. } | Problem::TooLong { .. }),
            "{error}"
        );
        assert!(error.render(&text).len() < 1000);
    }
}
