-- folded(p_text) -> text, as mailboxes are compared in any case
--
-- Write a recipient in lower case, in whichever locale the database was made: lower() alone leaves Ü as it is in that
-- of C, and makes another letter of I in the Turkish one.
--
-- Args     p_text text
-- Returns  text, of the same length: the letters of ASCII, and of Latin with marks (Vietnamese as well), Greek and Cyrillic
-- Caller   find_person(), cancel_matching(), redrive(), page()
create or replace function notify.folded(p_text text) returns text
language sql immutable parallel safe
return case when octet_length(p_text) = length(p_text) then lower(p_text collate "C")
  else translate(lower(p_text collate "C"),
    'ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĲĴĶĹĻĽĿŁŃŅŇŊŌŎŐŒŔŖŘ'
      || 'ŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫЀЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГД'
      || 'ЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯҐẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆỈỊỌỎỐỒỔỖỘỚỜỞỠỢỤỦỨỪỬỮỰỲỴỶỸ',
    'àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįĳĵķĺļľŀłńņňŋōŏőœŕŗř'
      || 'śŝşšţťŧũūŭůűųŵŷÿźżžάέήίόύώαβγδεζηθικλμνξοπρστυφχψωϊϋѐёђѓєѕіїјљњћќѝўџабвгд'
      || 'ежзийклмнопрстуфхцчшщъыьэюяґạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ') end;

comment on function notify.folded(text) is 'folded(p_text) -> text, as mailboxes are compared in any case';
