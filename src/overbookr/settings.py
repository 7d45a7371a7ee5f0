"""Settings, read once at start from the environment and an optional `.env` file.

Every name has the prefix OVERBOOKR_; the names of the Go project that inspired Overbookr are honoured
when ours are unset, so that its deployment files keep working.
"""

import os
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

STORAGE_SCHEMES: Final = ("redis://", "rediss://", "valkey://", "valkeys://", "unix://")


def default_data_dir() -> Path:
    """The user's data folder by the XDG rule: $XDG_DATA_HOME/overbookr or ~/.local/share/overbookr."""
    root = os.environ.get("XDG_DATA_HOME")
    return (Path(root) if root else Path.home() / ".local" / "share") / "overbookr"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="OVERBOOKR_",
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        env_ignore_empty=True,
        populate_by_name=True,
    )

    database_url: str | None = Field(
        default=None, validation_alias=AliasChoices("OVERBOOKR_DATABASE_URL", "POSTGRESQL_URI")
    )
    data_dir: Path = Field(default_factory=default_data_dir)
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=1, le=65535, validation_alias=AliasChoices("OVERBOOKR_PORT", "PORT"))
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=64)
    event_loop: Literal["uvloop", "asyncio"] = "uvloop"
    lanes: int = Field(1, ge=1, le=32, description="Write lanes a process has, one connection each.")
    read_connections: int = Field(4, ge=1, le=64)
    statement_cache: bool = Field(True, description="Off behind PgBouncer in transaction mode.")
    drain_seconds: int = Field(
        0, ge=0, le=300, description="How long a process that was told to stop still serves while /readyz says 503."
    )
    idle_seconds: int = Field(
        20, ge=1, le=3600, description="How long a client may keep a connection waiting, sending or reading nothing."
    )
    duties: Literal["on", "off"] = Field("on", description="Whether serve runs the background duties too.")

    jwt_secret: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("OVERBOOKR_JWT_SECRET", "JWT_SECRET")
    )
    access_ttl_seconds: int = Field(900, ge=10, le=86_400)
    refresh_ttl_seconds: int = Field(30 * 86_400, ge=60)
    admin_email: str | None = None
    admin_password: SecretStr | None = None
    open_roles: Literal["on", "off"] = "off"
    rate_limit: Literal["on", "off"] = "on"
    rate_limit_storage: SecretStr | None = Field(
        None, description="redis:// or valkey://; unset: each process's memory."
    )
    # Of one user, for each kind; 0 is without end. Far more than a person does, and less than a program can.
    reads_per_minute: int = Field(600, ge=0)
    holds_per_minute: int = Field(120, ge=0)
    bookings_per_minute: int = Field(60, ge=0)
    waitlist_joins_per_minute: int = Field(60, ge=0)
    address_reads_per_minute: int = Field(0, ge=0, description="Of those without a token, by address.")
    trusted_proxies: str = Field("", description="Comma-separated addresses and networks; none by default.")

    hold_ttl_seconds: int = Field(300, ge=1, le=86_400)
    hold_max_seats: int = Field(10, ge=1, le=1000)
    user_max_seats_per_event: int = Field(10, ge=1, le=1000)

    smtp_url: SecretStr | None = Field(None, description="smtp://user:password@host:port, or smtps://")
    gmail_user: str | None = Field(None, validation_alias=AliasChoices("OVERBOOKR_GMAIL_USER", "GMAIL_USER"))
    gmail_pass: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("OVERBOOKR_GMAIL_PASS", "GMAIL_PASS")
    )
    mail_from: str = "Overbookr <tickets@localhost>"
    public_url: str | None = None
    cors_origins: str = Field("", description="Comma-separated exact origins; none by default.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_exact(cls, value: str) -> str:
        for origin in filter(None, (part.strip() for part in value.split(","))):
            if origin == "*" or not origin.startswith(("http://", "https://")):
                raise ValueError(f"{origin!r} is no origin; name each one whole, as in https://tickets.example")
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def _storage_is_usable(cls, value: SecretStr | None) -> SecretStr | None:
        # Not the value itself, which may have a password in it.
        if value is not None and not value.get_secret_value().startswith(STORAGE_SCHEMES):
            raise ValueError(f"must start with one of {', '.join(STORAGE_SCHEMES)}")
        if value is not None and find_spec("redis") is None:
            raise ValueError("needs the package redis; install overbookr[redis]")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, value: str) -> str:
        for part in filter(None, (part.strip() for part in value.split(","))):
            ip_network(part)
        return value

    @property
    def cors_origin_list(self) -> list[str]:
        return [part.strip() for part in self.cors_origins.split(",") if part.strip()]

    @property
    def base_url(self) -> str:
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether visitors come by TLS."""
        return self.base_url.startswith("https://")


def load_settings() -> Settings:
    """The process's settings. Raises pydantic.ValidationError, which the CLI turns into one line a mistake."""
    return Settings()
