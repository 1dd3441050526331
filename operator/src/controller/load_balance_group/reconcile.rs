//! One pass over a group: read, judge, build, write, and tell the fleet.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use keypool_crds::v1alpha1::LoadBalanceGroup;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};

use super::apply;
use super::build::{self, Inputs};
use super::names;
use super::validate::{self, Providers};
use crate::conditions::Check;
use crate::controller::context::{Context, GroupView, Judged};
use crate::controller::error::ReconcileError;
use crate::controller::model_provider;
use crate::controller::model_provider::validate::Surroundings;
use crate::fleet::desired::Desired;
use crate::install::ObjectId;
use crate::k8s::apply::{ApplyError, Owner};
use crate::material::{Material, Rendered, client_key_of};
use crate::reference;
