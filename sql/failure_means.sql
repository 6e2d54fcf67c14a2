-- failure_means(p_code) -> (meaning, advice)
--
-- Say in a sentence what the code of a failed attempt means, and what helps.
--
-- Args     p_code text: an HTTP status, an SMTP reply, or a word of ours
-- Returns  one row; advice null: nothing but another attempt
-- Note     Never what the receiver wrote: it repeats what it got, and who may read this may not read that. A number is
--          an HTTP status or an SMTP reply: one that is common as both has words that fit both, or none
-- Caller   explain_queued(), explain_parked(), explain_ended(), NowStore.look, NowStore.failures, DestinationStore.meanings
create or replace function notify.failure_means(p_code text) returns table (meaning text, advice text)
language sql immutable parallel safe set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on as $$
  select coalesce(k.meaning, 'the code is ' || left(regexp_replace(p_code, '[^\u0020-\u007e]', '?', 'g'), 100),
    'nobody wrote down why'), k.advice
  from (values (1)) as one
  left join (values
    ('dns', 'the name of its host was not found', 'See whether the host is spelled right and its name resolves.'),
    ('connect_failed', 'nothing answered at its address', 'See whether the receiver runs and its port is open.'),
    ('timeout', 'the receiver did not answer in time', 'See why the receiver is slow.'),
    ('reset', 'the receiver broke the connection', null),
    ('no_answer', 'the receiver closed the connection without an answer', null),
    ('refused_stream', 'the receiver refused to take it on that connection', null),
    ('tls', 'no secure connection came about', 'See the receiver''s TLS.'),
    ('tls_certificate', 'the receiver''s certificate is not trusted', 'Let the receiver renew it, or trust its authority.'),
    ('tls_ca_file', 'the worker cannot read its trusted certificates', 'See the worker''s trust store.'),
    ('tls_client_certificate', 'the receiver asks for a client certificate', null),
    ('proxy_failed', 'the proxy does not let it through', 'See WEBHOOK_PROXY_URL, and the proxy.'),
    ('not_http', 'what answered does not speak HTTP', 'See whether the URL is right.'),
    ('bad_url', 'its URL is none', 'Send it again to a right URL.'),
    ('address_not_allowed', 'webhooks may not go to that address', 'If it is yours, name it in WEBHOOK_ALLOW.'),
    ('invalid_recipient', 'its recipient is no address', 'Send it again to a right address.'),
    ('not_configured', 'the worker cannot send on its channel: SMTP_URL is not set', 'Set SMTP_URL for the workers.'),
    ('unknown_channel', 'the worker does not know its channel', 'Run workers of a release that knows it.'),
    ('login_denied', 'the mail server refuses our login', 'See SMTP_URL.'),
    ('no_service', 'the mail server does not take mail', 'See SMTP_URL, and the mail server.'),
    ('smtputf8_not_offered', 'its address is beyond ASCII, and the mail server does not take such', null),
    ('not_written', 'the worker could not write its line', 'See the worker''s standard output.'),
    ('internal_error', 'the worker failed', 'See the worker''s log.'),
    ('aborted', 'the worker was stopped during the send, and it may have arrived', null),
    ('lease_expired', 'its worker died, hung or was cut off', 'See the worker''s log: if others ended so as well, this one may be the cause.'),
    ('refused', 'a trigger or a constraint that is not ours kept it from moving', 'Ask the owner of that trigger or constraint.'),
    ('301', 'the receiver redirects, which is not followed (301)', 'Send to the new URL.'),
    ('302', 'the receiver redirects, which is not followed (302)', 'Send to the new URL.'),
    ('303', 'the receiver redirects, which is not followed (303)', 'Send to the new URL.'),
    ('307', 'the receiver redirects, which is not followed (307)', 'Send to the new URL.'),
    ('308', 'the receiver redirects, which is not followed (308)', 'Send to the new URL.'),
    ('401', 'the receiver asks who we are (401)', 'Let the receiver check our signature, or the URL.'),
    ('403', 'the receiver does not let us in (403)', null),
    ('404', 'the receiver knows no such path (404)', 'See whether the URL is right.'),
    ('408', 'the receiver waited too long for it (408)', null),
    ('410', 'the receiver says that it is gone for good (410)', 'Do not send to it any more.'),
    ('413', 'the receiver finds it too large (413)', null),
    ('429', 'the receiver says that it gets too much (429)', null),
    ('500', 'the receiver says that it failed (500)', 'The fault is its own: ask who runs it.'),
    ('502', 'the receiver says that what is behind it failed (502)', 'The fault is its own: ask who runs it.'),
    ('503', 'the receiver says that it cannot take it now (503)', 'If it goes on, ask who runs it.'),
    ('504', 'the receiver says that what is behind it is too slow (504)', 'The fault is its own: ask who runs it.'),
    ('421', 'the mail server says: not now (421)', 'If it goes on, see what it wrote.'),
    ('450', 'the mail server says: not now (450)', 'If it goes on, see what it wrote.'),
    ('451', 'the mail server says: not now (451)', 'If it goes on, see what it wrote.'),
    ('452', 'the mail server says: not now (452)', 'If it goes on, see what it wrote.'),
    ('454', 'the mail server says: not now (454)', 'If it goes on, see what it wrote.'),
    ('455', 'the mail server says: not now (455)', 'If it goes on, see what it wrote.'),
    ('534', 'the mail server refuses our login (534)', 'See SMTP_URL.'),
    ('535', 'the mail server refuses our login (535)', 'See SMTP_URL.'),
    ('538', 'the mail server refuses our login (538)', 'See SMTP_URL.'),
    ('550', 'the mail server knows no such mailbox, or refuses this mail (550)', 'See whether the address is right, and what it wrote.'),
    ('551', 'the mail server refuses this mailbox (551)', 'See whether the address is right, and what it wrote.'),
    ('552', 'the mail server has no room for this mail (552)', 'See how large it is, and what it wrote.'),
    ('553', 'the mail server refuses this address (553)', 'See whether the address is right, and what it wrote.'),
    ('554', 'the mail server refuses this mail (554)', 'See what it wrote.'),
    ('555', 'the mail server refuses this address (555)', 'See whether the address is right, and what it wrote.'),
    ('556', 'the domain of its recipient takes no mail (556)', 'See whether the address is right.')
  ) as k(code, meaning, advice) on k.code = p_code
$$;

comment on function notify.failure_means(text) is 'failure_means(p_code) -> (meaning, advice)';
