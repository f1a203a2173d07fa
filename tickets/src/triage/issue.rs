//! Owns [`IssueType`]: the concrete matter of a ticket, finer than its category.

use crate::word::closed_words;

closed_words! {
    /// What the customer wants dealt with.
    IssueType {
        /// The same amount was taken twice.
        DuplicateCharge => "duplicate_charge",
        /// An amount the customer does not recognise or accept.
        UnexpectedCharge => "unexpected_charge",
        /// Money is to be paid back.
        RefundRequest => "refund_request",
        /// An invoice is missing.
        InvoiceCopy => "invoice_copy",
        /// An invoice is wrong.
        InvoiceCorrection => "invoice_correction",
        /// A subscription is to end.
        CancelSubscription => "cancel_subscription",
        /// A payment did not go through.
        PaymentFailed => "payment_failed",
        /// Another plan, or more or fewer seats.
        PlanChange => "plan_change",
        /// The price changed.
        PriceChange => "price_change",
        /// Signing in does not work.
        LoginFailure => "login_failure",
        /// A forgotten password.
        PasswordReset => "password_reset",
        /// The second factor is lost.
        TwoFactor => "two_factor",
        /// The account was locked or suspended.
        AccountLocked => "account_locked",
        /// Somebody else is in the account.
        AccountCompromised => "account_compromised",
        /// The profile or the e-mail address is to change.
        ProfileChange => "profile_change",
        /// Personal data are to be deleted or handed over.
        DataDeletion => "data_deletion",
        /// Team members, roles, permissions.
        TeamMembers => "team_members",
        /// The app crashes.
        AppCrash => "app_crash",
        /// The API answers with an error, or a question about the API.
        ApiError => "api_error",
        /// The service is down.
        Outage => "outage",
        /// Pages are slow or do not load.
        Slow => "slow",
        /// Data do not synchronise.
        Sync => "sync",
        /// Webhooks do not arrive.
        Webhook => "webhook",
        /// Notifications or e-mails do not arrive.
        Notifications => "notifications",
        /// An export or import does not work.
        DataExport => "data_export",
        /// Something else in the software fails.
        SoftwareError => "software_error",
        /// The parcel has not arrived.
        NotDelivered => "not_delivered",
        /// The item is damaged or faulty.
        Damaged => "damaged",
        /// Another item came than was ordered, or one is missing.
        WrongItem => "wrong_item",
        /// An item is to go back.
        ReturnRequest => "return_request",
        /// An item is to be swapped.
        ExchangeRequest => "exchange_request",
        /// An order is to be cancelled.
        CancelOrder => "cancel_order",
        /// An order is to be changed before it ships.
        ChangeOrder => "change_order",
        /// Where an order is, or when it will arrive.
        TrackOrder => "track_order",
        /// The parcel is held at customs.
        Customs => "customs",
        /// An idea for the product.
        FeatureRequest => "feature_request",
        /// Thanks or praise.
        Praise => "praise",
        /// Displeasure with the service itself.
        Complaint => "complaint",
        /// A question about shops, jobs, trade or the company.
        CompanyQuestion => "company_question",
        /// Any other question.
        Question => "question",
    }
}

impl IssueType {
    /// Whether acting on it moves money, deletes data or hands over an account: a person decides, by default.
    pub const fn is_guarded(self) -> bool {
        match self {
            Self::DuplicateCharge
            | Self::UnexpectedCharge
            | Self::RefundRequest
            | Self::CancelSubscription
            | Self::AccountCompromised
            | Self::DataDeletion
            | Self::CancelOrder => true,
            Self::InvoiceCopy
            | Self::InvoiceCorrection
            | Self::PaymentFailed
            | Self::PlanChange
            | Self::PriceChange
            | Self::LoginFailure
            | Self::PasswordReset
            | Self::TwoFactor
            | Self::AccountLocked
            | Self::ProfileChange
            | Self::TeamMembers
            | Self::AppCrash
            | Self::ApiError
            | Self::Outage
            | Self::Slow
            | Self::Sync
            | Self::Webhook
            | Self::Notifications
            | Self::DataExport
            | Self::SoftwareError
            | Self::NotDelivered
            | Self::Damaged
            | Self::WrongItem
            | Self::ReturnRequest
            | Self::ExchangeRequest
            | Self::ChangeOrder
            | Self::TrackOrder
            | Self::Customs
            | Self::FeatureRequest
            | Self::Praise
            | Self::Complaint
            | Self::CompanyQuestion
            | Self::Question => false,
        }
    }
}
