-- Who was in the house in this night? GET [base]/Encounter?date=ge2026-03-02T22:00:00Z&date=le2026-03-03T06:00:00Z
-- The form matters: dates in JSON are texts, partial ones among them; hacs_core.period_range reads them as a range of
-- UTC times, open where there is no complete date.
-- with: '[2026-03-02 22:00, 2026-03-03 06:00]'
select id, patient_id, class_fhir, status, period
from hacs_core.encounters
where hacs_core.period_range(period) && $1::tsrange;
