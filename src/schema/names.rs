//! What a complete HACS database holds, in the order of the documentation.

/// The six schemas.
pub const SCHEMAS: [&str; 6] =
    ["hacs_core", "hacs_clinical", "hacs_registry", "hacs_agents", "hacs_admin", "hacs_audit"];

/// Every table that the migrations make, with its schema.
pub const TABLES: [&str; 31] = [
    "hacs_core.resources",
    "hacs_core.patients",
    "hacs_core.observations",
    "hacs_core.encounters",
    "hacs_core.organizations",
    "hacs_core.organization_contacts",
    "hacs_core.organization_qualifications",
    "hacs_clinical.conditions",
    "hacs_clinical.medications",
    "hacs_clinical.medication_requests",
    "hacs_clinical.procedures",
    "hacs_clinical.allergy_intolerances",
    "hacs_clinical.goals",
    "hacs_clinical.service_requests",
    "hacs_clinical.family_member_history",
    "hacs_clinical.risk_assessments",
    "hacs_clinical.plan_definitions",
    "hacs_clinical.activity_definitions",
    "hacs_clinical.libraries",
    "hacs_clinical.guidance_responses",
    "hacs_clinical.evidence_variables",
    "hacs_clinical.tasks",
    "hacs_clinical.appointments",
    "hacs_registry.knowledge_items",
    "hacs_registry.templates",
    "hacs_agents.memories",
    "hacs_agents.messages",
    "hacs_admin.migrations",
    "hacs_admin.system_config",
    "hacs_audit.resource_changes",
    "hacs_audit.seals",
];

/// Every HACS resource, with the table that keeps it.
pub const RESOURCES: [(&str, &str); 25] = [
    ("Organization", "hacs_core.organizations"),
    ("OrganizationContact", "hacs_core.organization_contacts"),
    ("OrganizationQualification", "hacs_core.organization_qualifications"),
    ("Patient", "hacs_core.patients"),
    ("Encounter", "hacs_core.encounters"),
    ("Observation", "hacs_core.observations"),
    ("Condition", "hacs_clinical.conditions"),
    ("Medication", "hacs_clinical.medications"),
    ("MedicationRequest", "hacs_clinical.medication_requests"),
    ("Procedure", "hacs_clinical.procedures"),
    ("AllergyIntolerance", "hacs_clinical.allergy_intolerances"),
    ("Goal", "hacs_clinical.goals"),
    ("ServiceRequest", "hacs_clinical.service_requests"),
    ("FamilyMemberHistory", "hacs_clinical.family_member_history"),
    ("RiskAssessment", "hacs_clinical.risk_assessments"),
    ("PlanDefinition", "hacs_clinical.plan_definitions"),
    ("ActivityDefinition", "hacs_clinical.activity_definitions"),
    ("Library", "hacs_clinical.libraries"),
    ("GuidanceResponse", "hacs_clinical.guidance_responses"),
    ("EvidenceVariable", "hacs_clinical.evidence_variables"),
    ("Task", "hacs_clinical.tasks"),
    ("Appointment", "hacs_clinical.appointments"),
    ("KnowledgeItem", "hacs_registry.knowledge_items"),
    ("Memory", "hacs_agents.memories"),
    ("AgentMessage", "hacs_agents.messages"),
];
