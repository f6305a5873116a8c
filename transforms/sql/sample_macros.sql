-- grain: none; the draws of the sample generator
-- A draw is a pure function of a key and a number: the "lowbias32" integer mixer over a Weyl step (C. Wellons, hash-prospector).
-- So every row draws for itself: no order, no state, no thread can change a value. DuckDB's own hash() is not stable between versions.
CREATE OR REPLACE MACRO sample_mix_1(x) AS (xor(x, x >> 16) * 2146121005::UBIGINT) & 4294967295::UBIGINT;
CREATE OR REPLACE MACRO sample_mix_2(x) AS (xor(x, x >> 15) * 2221713035::UBIGINT) & 4294967295::UBIGINT;
CREATE OR REPLACE MACRO sample_mix_3(x) AS xor(x, x >> 16);
CREATE OR REPLACE MACRO sample_mix(x) AS sample_mix_3(sample_mix_2(sample_mix_1(x)));
-- A key (32 bits) derived from a key; distinct keys give distinct keys for one n.
CREATE OR REPLACE MACRO sample_key(k, n) AS sample_mix((k + n::UBIGINT * 2654435769::UBIGINT) & 4294967295::UBIGINT);
-- A number in (0, 1).
CREATE OR REPLACE MACRO sample_unit(k, n) AS (sample_key(k, n)::DOUBLE + 0.5) / 4294967296.0;
-- An integer in [0, n_values).
CREATE OR REPLACE MACRO sample_pick(k, n, n_values) AS (sample_key(k, n) * n_values::UBIGINT >> 32)::INTEGER;
-- A count of 0, 1, 2, ... with the given mean (geometric, by inversion of u).
CREATE OR REPLACE MACRO sample_count(u, mean) AS floor(ln(u) / ln(mean / (1.0 + mean)))::INTEGER;
-- A position in 1 .. n that falls as position^-0.9 (power law, by inversion of u).
CREATE OR REPLACE MACRO sample_position(u, n) AS least(n, floor(pow((pow(n + 1, 0.1) - 1.0) * u + 1.0, 10.0))::BIGINT);
-- A cell of a CSV line, after RFC 4180.
CREATE OR REPLACE MACRO sample_cell(x) AS
    CASE WHEN x IS NULL THEN '' WHEN regexp_matches(x, '[,"\n\r]') THEN '"' || replace(x, '"', '""') || '"' ELSE x END;
-- Whether a profile complains in a month; months before the period count from -1 downwards.
CREATE OR REPLACE MACRO sample_complains(key, month_index) AS sample_unit(key, 2010 + month_index) < 0.06;
