-- The tables of MLflow 3.17.2 that hold runs and metrics, their columns in its order (migrations of mlflow.store.db).
CREATE TABLE runs (
    run_uuid VARCHAR(32) NOT NULL PRIMARY KEY,
    name VARCHAR(250),
    source_type VARCHAR(20),
    source_name VARCHAR(500),
    entry_point_name VARCHAR(50),
    user_id VARCHAR(256),
    status VARCHAR(9),
    start_time BIGINT,
    end_time BIGINT,
    source_version VARCHAR(50),
    lifecycle_stage VARCHAR(20) CHECK (lifecycle_stage IN ('active', 'deleted')),
    artifact_uri VARCHAR(200),
    experiment_id INTEGER,
    deleted_time BIGINT
);
CREATE TABLE metrics (
    key VARCHAR(250) NOT NULL,
    value FLOAT NOT NULL,
    timestamp BIGINT NOT NULL,
    run_uuid VARCHAR(32) NOT NULL REFERENCES runs (run_uuid),
    step BIGINT DEFAULT '0' NOT NULL,
    is_nan BOOLEAN DEFAULT '0' NOT NULL CHECK (is_nan IN (0, 1)),
    PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan)
);
