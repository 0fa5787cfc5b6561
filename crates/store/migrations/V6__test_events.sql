-- Whether nothing happened: a sample that somebody sent to one webhook, to see that it is reached. Every recorder from
-- before leaves it out, hence the default.
ALTER TABLE events ADD COLUMN is_test boolean NOT NULL DEFAULT false;
