-- folded(p_text) -> text, as mailboxes are compared in any case and any form of Unicode
--
-- Write a recipient in lower case and in one form, so that what workers send to one mailbox is one text. Not by lower()
-- alone: it leaves Ü as it is in the locale C, and makes another letter of I in the Turkish one.
--
-- Args     p_text text
-- Returns  text, in NFC: the letters of ASCII, Latin (with marks, Vietnamese as well), Greek and Cyrillic in lower case.
--          Behind the @ also as UTS 46 writes a domain: letters of other widths and styles as plain ones, the other
--          three dots as dots, and without what nobody sees, such as selectors of variants. Its length may differ
-- Note     Letters with marks are taken apart first, so that only the others are listed. normalize() works in a database
--          in UTF-8 alone, which ours is
-- Caller   find_person(), cancel_matching(), redrive(), page(), take_key(), validate()
create or replace function notify.folded(p_text text) returns text
language sql immutable parallel safe
return case when octet_length(p_text) = length(p_text) then lower(p_text collate "C")
  else normalize(translate(lower((
      normalize(coalesce(substring(p_text from '^.*@'), ''), NFD)
      || regexp_replace(regexp_replace(translate(normalize(substring(p_text from '[^@]*$'), NFKD), '。', '.'),
        '\u0345', 'ι', 'g'),
        '[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]', '', 'g')
    ) collate "C"),
    'ÆÐØÞĐĦĲĿŁŊŒŦƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƢƤƦƧƩƬƮƱƲƳƵƷƸƼǄǅǇǈǊǋǤǱǲǶǷȜȠȢȤȺȻȽȾɁɃɄɅɆɈɊɌɎẞỺ'
      || 'ỼỾͰͲͶͿΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩϏϘϚϜϞϠϢϤϦϨϪϬϮϴϷϹϺϽϾϿЂЄЅІЈЉЊЋЏАБВГДЕЖЗИКЛМНОПРС'
      || 'ТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӃӅӇӉӋӍӔӘӠӨӶӺӼӾԀԂԄԆ'
      || 'ԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮ',
    'æðøþđħĳŀłŋœŧɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵƣƥʀƨʃƭʈʊʋƴƶʒƹƽǆǆǉǉǌǌǥǳǳƕƿȝƞȣȥⱥȼƚⱦɂƀʉʌɇɉɋɍɏßỻ'
      || 'ỽỿͱͳͷϳαβγδεζηθικλμνξοπρστυφχψωϗϙϛϝϟϡϣϥϧϩϫϭϯθϸϲϻͻͼͽђєѕіјљњћџабвгдежзиклмнопрс'
      || 'туфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӄӆӈӊӌӎӕәӡөӷӻӽӿԁԃԅԇ'
      || 'ԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯ'), NFC) end;

comment on function notify.folded(text) is
  'folded(p_text) -> text, as mailboxes are compared in any case and any form of Unicode';
