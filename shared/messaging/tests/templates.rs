//! What can be wrong with a programme's templates at Zalo, and what fills good ones.

use loyalty_contract::programme::{ProgrammeFile, Version};
use loyalty_messaging::{
    Catalogue, Extent, Filling, Language, PARAGRAPH_CHARS_MAX, TEXT_CHARS_MAX, Template, faults, parameters, picture,
    sample,
};

const PRESETS: [&str; 6] = [
    include_str!("../../../infra/programmes/cnv-retail.toml"),
    include_str!("../../../infra/programmes/cnv-retail-by-tier.toml"),
    include_str!("../../../infra/programmes/cnv-retail-high-aov.toml"),
    include_str!("../../../infra/programmes/cnv-miniapp.toml"),
    include_str!("../../../infra/programmes/panda-points.toml"),
    include_str!("../../../infra/programmes/panda-rules.toml"),
];

fn version(preset: &str, more: &str) -> Version {
    let file = ProgrammeFile::parse(&format!("{preset}\n{more}")).unwrap_or_else(|problems| panic!("{problems:?}"));
    file.versions()[0].clone()
}

fn paths(more: &str) -> Vec<String> {
    faults(&version(PRESETS[0], more)).into_iter().map(|fault| fault.path).collect()
}

#[test]
fn the_presets_can_go_live_and_their_texts_are_short_enough() {
    for preset in PRESETS {
        let version = version(preset, "");
        assert_eq!(faults(&version), []);
        for (template, language) in Template::ALL.into_iter().flat_map(|one| Language::ALL.map(|other| (one, other))) {
            let texts = [Extent::Least, Extent::Everything].map(|extent| {
                let variables = sample(template, &version.programme, extent);
                Catalogue::shipped(language).render(template, &variables).unwrap().chars().count()
            });
            assert!(0 < texts[0] && texts[0] < texts[1] && texts[1] < TEXT_CHARS_MAX, "{template:?}: {texts:?}");
        }
    }
}

#[test]
fn good_templates_have_nothing_wrong() {
    let good = r#"
        [messages.kinds]
        tier_reached = "promotional"
        [zalo.templates.order_points_credited]
        id = "1"
        params = { customer_name = "name", order = "order", points = "points.number", balance = "balance", note = "text" }
        max_chars = { customer_name = 30, order = 30, points = 20, balance = 20, note = 400 }
        [zalo.templates.voucher_reminder]
        id = "2"
        params = { code = "code", until = "last_day" }
        max_chars = { code = 12, until = 20 }
    "#;
    assert_eq!(paths(good), Vec::<String>::new());
}

#[test]
fn a_shops_own_words_are_checked_like_the_products() {
    let own = |message: &str, lines: &str| paths(&format!("[messages.texts.{message}]\nvi = {lines}"));
    assert_eq!(own("tier_kept", r#"["Giữ hạng {tier}.", "Còn nợ {debt}.", "@standing"]"#), Vec::<String>::new());
    let long = format!("[\"{}\"]", "a".repeat(TEXT_CHARS_MAX + 1));
    for lines in [r#"["{tier"]"#, r#"["{order}"]"#, r#"["@nothing"]"#, r#"["Còn nợ {debt}."]"#, "[]", "[\" \"]", &long]
    {
        assert_eq!(own("tier_kept", lines), ["messages.texts.tier_kept.vi"], "{lines}");
    }
    assert_eq!(own("tier_won", r#"["a"]"#), ["messages.texts.tier_won"]);

    let campaign = |message: &str, line: &str| {
        let texts = format!("id = \"fast-promotion\"\ntexts.{message}.en = [\"{line}\"]");
        let version = version(&PRESETS[0].replace("id = \"fast-promotion\"", &texts), "");
        faults(&version).into_iter().map(|fault| fault.path).collect::<Vec<_>>()
    };
    assert_eq!(campaign("campaign_bonus_credited", "Order {order}: {balance}"), Vec::<String>::new());
    assert_eq!(campaign("campaign_invitation", "{order}"), ["campaigns[0].texts.campaign_invitation.en"]);
    assert_eq!(campaign("tier_kept", "Kept"), ["campaigns[0].texts.tier_kept"]);
}

#[test]
fn c9_a_picture_has_an_address_and_belongs_to_a_message() {
    let own = |message: &str, address: &str| paths(&format!("[messages.pictures]\n{message} = \"{address}\""));
    assert_eq!(own("tier_kept", "https://cdn.example.vn/bac.jpg?v=2"), Vec::<String>::new());
    for address in [
        "",
        "http://cdn.example.vn/bac.jpg",
        "https://",
        "https:///bac.jpg",
        "https://cdn.vn/a b.jpg",
        "https://lan:secret@cdn.vn/bac.jpg",
        "bac.jpg",
    ] {
        assert_eq!(own("tier_kept", address), ["messages.pictures.tier_kept"], "{address}");
    }
    assert_eq!(own("tier_won", "https://cdn.example.vn/bac.jpg"), ["messages.pictures.tier_won"]);

    let campaign = |message: &str| {
        let pictures = format!("id = \"fast-promotion\"\npictures.{message} = \"https://cdn.vn/silver.jpg\"");
        version(
            &PRESETS[0].replace("id = \"fast-promotion\"", &pictures),
            "[messages.pictures]\ntier_kept = \"https://cdn.vn/kept.jpg\"",
        )
    };
    let (own, other) = (campaign("campaign_invitation"), campaign("tier_kept"));
    assert_eq!(faults(&own), []);
    let paths: Vec<_> = faults(&other).into_iter().map(|fault| fault.path).collect();
    assert_eq!(paths, ["campaigns[0].pictures.tier_kept"]);
    let shown = |template, campaign| picture(&own, template, campaign);
    assert_eq!(shown(Template::CampaignInvitation, Some("fast-promotion")), Some("https://cdn.vn/silver.jpg"));
    assert_eq!(shown(Template::CampaignInvitation, None), None);
    assert_eq!(shown(Template::TierKept, Some("fast-promotion")), Some("https://cdn.vn/kept.jpg"));
}

#[test]
fn every_fault_is_found_with_its_path() {
    let template = |fields: &str| format!("[zalo.templates.order_points_credited]\nid = \"1\"\n{fields}\n");
    let param = |name: &str| format!("zalo.templates.order_points_credited.params.{name}");
    for (more, expected) in [
        ("[zalo.templates.order_credited]\nid = \"1\"\n".to_owned(), "zalo.templates.order_credited".to_owned()),
        ("[messages.kinds]\norder_credited = \"care\"\n".to_owned(), "messages.kinds.order_credited".to_owned()),
        (template(""), "zalo.templates.order_points_credited.params".to_owned()),
        (template("params = { a = \"pionts\" }"), param("a")),
        // Of another message.
        (template("params = { a = \"last_day\" }"), param("a")),
        // A name is no figure, and a day has no bare number.
        (template("params = { a = \"tier.number\" }"), param("a")),
        (template("params = { a = \"expires_on.number\" }"), param("a")),
        (template("params = { \"tên-khách\" = \"name\" }"), param("tên-khách")),
        // 9.999.999 điểm
        (template("params = { a = \"points\" }\nmax_chars = { a = 13 }"), param("a")),
        (template("params = { a = \"points.number\" }\nmax_chars = { a = 6 }"), param("a")),
        (template("params = { a = \"expires_on\" }\nmax_chars = { a = 9 }"), param("a")),
        (template("params = { a = \"text\" }"), param("a")),
        (template("params = { a = \"text\" }\nmax_chars = { a = 401 }"), param("a")),
    ] {
        assert_eq!(paths(&more), [expected], "{more}");
    }
    let enough = template("params = { a = \"points\" }\nmax_chars = { a = 14 }");
    assert_eq!(paths(&enough), Vec::<String>::new());
    // What a member could not use is worse than nothing.
    let cut = "[zalo.templates.voucher_reminder]\nid = \"1\"\nparams = { a = \"code\" }\nmax_chars = { a = 11 }\n";
    assert_eq!(paths(cut), ["zalo.templates.voucher_reminder.params.a"]);
    let order = |limit| paths(&template(&format!("params = {{ a = \"order\" }}\nmax_chars = {{ a = {limit} }}")));
    assert_eq!((order(19), order(20)), (vec![param("a")], vec![]));
    // Dates are longer in English: 30 September 2027.
    let date = "params = { a = \"expires_on\" }\nmax_chars = { a = 10 }";
    assert_eq!(paths(&template(date)), Vec::<String>::new());
    assert_eq!(paths(&format!("[messages]\nlanguage = \"en\"\n{}", template(date))), [param("a")]);
}

/// One tier of the preset gives two vouchers for a birthday: Voucher sinh nhật 15% (…); Quà sinh nhật (…).
#[test]
fn a_limit_may_cut_the_whole_message_but_none_of_its_vouchers() {
    let found = |preset: &str, variable: &str, limit: &str| {
        let params = format!("params = {{ a = \"{variable}\" }}\n{limit}");
        faults(&version(preset, &format!("[zalo.templates.birthday_vouchers]\nid = \"1\"\n{params}\n")))
    };
    let cut = found(PRESETS[0], "vouchers", "max_chars = { a = 65 }");
    assert_eq!(cut.len(), 1, "{cut:?}");
    assert_eq!(cut[0].path, "zalo.templates.birthday_vouchers.params.a");
    assert_eq!(found(PRESETS[0], "vouchers", "max_chars = { a = 66 }"), []);
    assert_eq!(found(PRESETS[0], "text", "max_chars = { a = 10 }"), []);
    // Where they fill more than a paragraph, no limit would do.
    let vouchers: Vec<_> =
        (0..15).map(|number| format!("{{ id = \"b-{number}\", name = \"Bánh sinh nhật\", percent = 5 }}")).collect();
    let preset = PRESETS[0].replacen("birthday = [", &format!("birthday = [{}, ", vouchers.join(", ")), 1);
    let long = found(&preset, "vouchers", "");
    assert!(long.len() == 1 && !long[0].message.contains("max_chars"), "{long:?}");
}

/// Somebody may call a tier's benefits a novel: no text would arrive.
#[test]
fn a_message_that_is_too_long_is_found() {
    let long = "ă".repeat(TEXT_CHARS_MAX);
    let preset = PRESETS[0].replacen("benefits = [", &format!("benefits = [\"{long}\", "), 2);
    let found = faults(&version(&preset, ""));
    assert!(!found.is_empty() && found.iter().all(|fault| fault.path == "tiers"), "{found:?}");
}

#[test]
fn parameters_are_filled_as_the_reader_expects_and_cut_to_their_limit() {
    let version = version(
        PRESETS[0],
        r#"
        [zalo.templates.order_points_credited]
        id = "1"
        params = { name = "name", points = "points", bare = "points.number", gone = "qualifying_points", note = "text" }
        max_chars = { name = 10, note = 12 }
        "#,
    );
    let zalo = &version.messaging.zalo["order_points_credited"];
    let template = Template::OrderPointsCredited;
    let mut variables = sample(template, &version.programme, Extent::Everything);
    variables.remove("qualifying_points");
    let text = "Cảm ơn bạn đã mua sắm!";
    let filling = Filling { template, language: Language::Vietnamese, variables: &variables, text, name: None };
    let filled = parameters(Filling { name: Some("Nguyễn Thị Lan"), ..filling }, zalo).unwrap();
    for (parameter, value) in
        [("name", "Nguyễn Th…"), ("points", "1.150 điểm"), ("bare", "1150"), ("gone", "-"), ("note", "Cảm ơn bạn …")]
    {
        assert_eq!(filled[parameter], value, "{parameter}");
    }
    assert_eq!(parameters(filling, zalo).unwrap()["name"], "Quý khách");
    assert!(filled.values().all(|value| value.chars().count() <= PARAGRAPH_CHARS_MAX));
}
