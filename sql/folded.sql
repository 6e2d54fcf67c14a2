-- folded(p_text) -> text, as mailboxes are compared in any case and any form of Unicode
--
-- Write a recipient in lower case and in one form, so that what workers send to one mailbox is one text. Not by lower()
-- alone: it leaves Ü as it is in the locale C, and makes another letter of I in the Turkish one.
--
-- Args     p_text text
-- Returns  text, in NFC: the letters of ASCII, Latin (with marks, Vietnamese as well), Greek and Cyrillic up to U+052F
--          in lower case. Behind the @ also as UTS 46 writes a domain: letters of other widths and styles as plain ones,
--          the other three dots as dots, and without what nobody sees, such as selectors of variants. Its length may
--          differ
-- Note     Letters with marks are taken apart first, so that only the others are listed. translate() costs most by far:
--          it has the list only where one of them may be. normalize() works in a database in UTF-8 alone, which ours is
-- Caller   find_person(), cancel_matching(), redrive(), page(), take_key(), validate()
create or replace function notify.folded(p_text text) returns text
language sql immutable parallel safe
return case when octet_length(p_text) = length(p_text) then lower(p_text collate "C")
  else normalize(translate(lower((
      normalize(coalesce(substring(p_text from '^.*@'), ''), NFD)
      || regexp_replace(regexp_replace(
        translate(normalize(translate(substring(p_text from '[^@]*$'), 'ϲ', 'σ'), NFKD), '。', '.'), '\u0345', 'ι', 'g'),
        '[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]', '', 'g')
    ) collate "C"),
    case when p_text ~ '[\u00c6-\u00de\u0110-\u024f\u0370-\u03a9\u03cf-\u042f\u0460-\u052f\u1e9e\u1efa-\u1eff]'
      or normalize(p_text, NFKD) ~ '[\u00c6-\u00de\u0110-\u024f\u0370-\u03a9\u03cf-\u042f\u0460-\u052f]' then
    'ÆÐØÞĐĦĲĿŁŊŒŦƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƢƤƦƧƩƬƮƱƲƳƵƷƸƼǄǅǇǈǊǋǤǱǲǶǷȜȠȢȤȺȻȽȾɁɃɄɅɆɈɊɌɎẞỺ'
      || 'ỼỾͰͲͶͿΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩϏϘϚϜϞϠϢϤϦϨϪϬϮϴϷϹϺϽϾϿЂЄЅІЈЉЊЋЏАБВГДЕЖЗИКЛМНОПРС'
      || 'ТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӃӅӇӉӋӍӔӘӠӨӶӺӼӾԀԂԄԆ'
      || 'ԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮ' else '' end,
    'æðøþđħĳŀłŋœŧɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵƣƥʀƨʃƭʈʊʋƴƶʒƹƽǆǆǉǉǌǌǥǳǳƕƿȝƞȣȥⱥȼƚⱦɂƀʉʌɇɉɋɍɏßỻ'
      || 'ỽỿͱͳͷϳαβγδεζηθικλμνξοπρστυφχψωϗϙϛϝϟϡϣϥϧϩϫϭϯθϸϲϻͻͼͽђєѕіјљњћџабвгдежзиклмнопрс'
      || 'туфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӄӆӈӊӌӎӕәӡөӷӻӽӿԁԃԅԇ'
      || 'ԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯ'), NFC) end;

comment on function notify.folded(text) is
  'folded(p_text) -> text, as mailboxes are compared in any case and any form of Unicode';
