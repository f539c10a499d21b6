"""Who may ask: tokens, signatures, scopes, projects, agencies (`auth.md`)."""

import time

import huaweicloudsdkiam.v3 as iam
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkecs.v2 import EcsClient, ListServersDetailsRequest, ShowServerLimitsRequest

from cloud import refusal

SDK = "huawei.iam"


def run(cloud, table):
    """All of it."""
    tokens(cloud, table)
    signatures(cloud, table)
    temporary(cloud, table)
    projects(cloud, table)
    services(cloud, table)
    agencies(cloud, table)


def wanted(cloud, scope, password=None):
    """The SDK's request for a token."""
    domain = iam.PwdPasswordUserDomain(cloud.told["domain_name"])
    user = iam.PwdPasswordUser(domain, cloud.told["username"], password or cloud.told["password"])
    identity = iam.PwdIdentity(["password"], iam.PwdPassword(user))
    return iam.KeystoneCreateUserTokenByPasswordRequestBody(iam.PwdAuth(identity, scope))


def tokens(cloud, table):
    told = cloud.told
    project = iam.AuthScope(project=iam.AuthScopeProject(name=told["project_name"]))
    domain = iam.AuthScope(domain=iam.AuthScopeDomain(name=told["domain_name"]))
    ask = cloud.iam.keystone_create_user_token_by_password
    with table.call(SDK, "KeystoneCreateUserTokenByPassword") as row:
        made = ask(iam.KeystoneCreateUserTokenByPasswordRequest(body=wanted(cloud, project)))
        row.check("a token in X-Subject-Token", made.x_subject_token)
        row.same("scope of the project", made.token.project.id, told["project_id"])
        row.same("the user's id", made.token.user.id, told["user_id"])
        row.check("a catalog with compute", any(it.type == "compute" for it in made.token.catalog))
        row.check("every region", all(e.region for it in made.token.catalog for e in it.endpoints))
        wide = ask(iam.KeystoneCreateUserTokenByPasswordRequest(body=wanted(cloud, domain)))
        row.check("scope of the domain alone", wide.token.domain and not wide.token.project)
        bare = iam.KeystoneCreateUserTokenByPasswordRequest("true", wanted(cloud, project))
        row.same("nocatalog", ask(bare).token.catalog, [])
        wrong = iam.KeystoneCreateUserTokenByPasswordRequest(body=wanted(cloud, project, "wrong"))
        row.same("a wrong password is 401", (refusal(lambda: ask(wrong)) or [None])[0], 401)
    with table.call("requests", "GET cloudservers with a token") as row:
        path, good = "/v1/{p}/cloudservers/limits", made.x_subject_token
        row.same("a good token", cloud.get(path, **{"X-Auth-Token": good}).status_code, 200)
        for name, token in (("a made-up token is refused", "MIIF" + "0" * 60),
                            ("a token with one letter changed is refused", good[:-1] + "x")):
            answer = cloud.get(path, **{"X-Auth-Token": token})
            code = answer.json().get("error_code") if answer.status_code == 401 else None
            row.same(name, (answer.status_code, code), (401, "APIGW.0307"))
        answer = cloud.get(path, **{"X-Auth-Token": wide.x_subject_token})
        row.check("a domain's token is not the project's", answer.status_code in (400, 403), answer.text)
        other = cloud.get("/v1/" + "0" * 32 + "/cloudservers/limits", **{"X-Auth-Token": good})
        row.check("another project is refused", other.status_code in (400, 403), other.text)
    with table.call(SDK, "KeystoneValidateToken") as row:
        look = cloud.iam.keystone_validate_token
        seen = look(iam.KeystoneValidateTokenRequest(x_subject_token=good))
        row.same("the same token", seen.token.expires_at, made.token.expires_at)
        gone = requests_delete(cloud, good)
        row.same("it can be revoked", gone.status_code, 204)
        after = refusal(lambda: look(iam.KeystoneValidateTokenRequest(x_subject_token=good)))
        row.same("a revoked one is 404", (after or [None])[0], 404)
        row.same("and opens nothing", cloud.get(path, **{"X-Auth-Token": good}).status_code, 401)
    with table.call(SDK, "KeystoneCreateUserTokenByPasswordAndMfa") as row:
        body = cloud.password()
        body["auth"]["identity"]["methods"] = ["password", "totp"]
        body["auth"]["identity"]["totp"] = {"user": {"id": told["user_id"], "passcode": "000000"}}
        row.same("a wrong passcode is 401", cloud.post("/v3/auth/tokens", body).status_code, 401)


def requests_delete(cloud, token):
    """Revokes a token; the SDK has no call for it."""
    import requests
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    return requests.delete(cloud.endpoint + "/v3/auth/tokens", headers=headers, timeout=20)


def signatures(cloud, table):
    with table.call("huawei.ecs", "signed requests") as row:
        limits = ShowServerLimitsRequest()
        row.check("a good signature", cloud.ecs.show_server_limits(limits).absolute)
        wrong = cloud.client(EcsClient, secret="not-the-secret")
        row.same("a wrong secret is refused",
                 refusal(lambda: wrong.show_server_limits(limits)), (401, "APIGW.0301"))
        unknown = cloud.client(EcsClient, access="NOBODYSACCESSKEY0000")
        row.same("an unknown access key is refused",
                 refusal(lambda: unknown.show_server_limits(limits)), (401, "APIGW.0301"))
        bare = cloud.get("/v1/{p}/cloudservers/limits")
        row.same("an unsigned request is refused", bare.status_code, 401)
        late = {"X-Sdk-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 1200)),
                "Authorization": f"SDK-HMAC-SHA256 Access={cloud.told['access_key']}, "
                                 "SignedHeaders=host;x-sdk-date, Signature=" + "0" * 64}
        answer = cloud.get("/v1/{p}/cloudservers/limits", **late)
        row.check("a clock of 20 minutes ago is refused", answer.status_code == 401, answer.text)
        row.check("and the lock is not reached", cloud.ecs.show_server_limits(limits).absolute)


def temporary(cloud, table):
    with table.call(SDK, "CreateTemporaryAccessKeyByToken") as row:
        token = iam.IdentityToken(id=cloud.token(), duration_seconds=900)
        identity = iam.TokenAuthIdentity(methods=["token"], token=token)
        body = iam.CreateTemporaryAccessKeyByTokenRequestBody(iam.TokenAuth(identity))
        request = iam.CreateTemporaryAccessKeyByTokenRequest(body=body)
        made = cloud.iam.create_temporary_access_key_by_token(request).credential
        row.check("key, secret and token", made.access and made.secret and made.securitytoken)
        keys = {"access": made.access, "secret": made.secret}
        client = cloud.client(EcsClient, session=made.securitytoken, **keys)
        one = ListServersDetailsRequest(limit=1)
        row.same("they open the cloud", len(client.list_servers_details(one).servers), 1)
        for name, session in (("without the security token they do not", None),
                              ("nor with another one", made.securitytoken[:-1] + "x")):
            client = cloud.client(EcsClient, session=session, **keys)
            refused = refusal(lambda: client.list_servers_details(one))
            row.same(name, (refused or [None])[0], 401)
        short = iam.IdentityToken(id=cloud.token(), duration_seconds=60)
        body.auth.identity.token = short
        refused = refusal(lambda: cloud.iam.create_temporary_access_key_by_token(request))
        row.same("less than 15 minutes is refused", (refused or [None])[0], 400)


def projects(cloud, table):
    told = cloud.told
    with table.call(SDK, "KeystoneListProjects") as row:
        ask = cloud.iam.keystone_list_projects
        names = lambda **q: [it.name for it in ask(iam.KeystoneListProjectsRequest(**q)).projects]
        every = names()
        row.check("the project is there", told["project_name"] in every, every)
        row.same("by name", names(name=told["project_name"]), [told["project_name"]])
        row.same("no such name", names(name="no such project"), [])
        paged = [name for n in range(1, len(every) + 2) for name in names(page=n, per_page=1)]
        row.same("page by page", paged, every)
    with table.call(SDK, "KeystoneListAuthProjects") as row:
        seen = cloud.iam.keystone_list_auth_projects(iam.KeystoneListAuthProjectsRequest())
        row.check("the project is there", told["project_id"] in [it.id for it in seen.projects])
    with table.call(SDK, "KeystoneListAuthDomains") as row:
        seen = cloud.iam.keystone_list_auth_domains(iam.KeystoneListAuthDomainsRequest())
        row.same("the domain", [it.id for it in seen.domains], [told["domain_id"]])
    with table.call("huawei.core", "project look-up") as row:
        who = BasicCredentials(told["access_key"], told["secret_key"])
        who = who.with_iam_endpoint(cloud.endpoint)
        region = Region(told["project_name"], cloud.endpoint)
        client = EcsClient.new_builder().with_credentials(who).with_region(region).build()
        row.check("found by the region's name", client.show_server_limits(ShowServerLimitsRequest()))
    with table.call(SDK, "ShowPermanentAccessKey") as row:
        request = iam.ShowPermanentAccessKeyRequest(told["access_key"])
        seen = cloud.iam.show_permanent_access_key(request).credential
        row.same("whose it is", seen.user_id, told["user_id"])


def services(cloud, table):
    with table.call(SDK, "KeystoneListServices") as row:
        seen = cloud.iam.keystone_list_services(iam.KeystoneListServicesRequest()).services
        kinds = {it.type for it in seen}
        row.check("ecs, evs, image, kms, cbr", {"ecs", "evs", "image", "kms", "cbr"} <= kinds, kinds)
        request = iam.KeystoneListServicesRequest(type="kms")
        row.same("by type", {it.type for it in cloud.iam.keystone_list_services(request).services}, {"kms"})
    with table.call(SDK, "KeystoneListEndpoints") as row:
        seen = cloud.iam.keystone_list_endpoints(iam.KeystoneListEndpointsRequest()).endpoints
        row.check("each has a URL and is public", seen and all(it.url and it.interface == "public" for it in seen))
    with table.call(SDK, "KeystoneShowCatalog") as row:
        seen = cloud.iam.keystone_show_catalog(iam.KeystoneShowCatalogRequest()).catalog
        row.check("it has endpoints", seen and all(it.endpoints for it in seen))


def agencies(cloud, table):
    with table.call(SDK, "ListAgencies") as row:
        domain = cloud.told["domain_id"]
        ask = lambda name: cloud.iam.list_agencies(iam.ListAgenciesRequest(domain_id=domain, name=name)).agencies
        found = ask("EVSAccessKMS")
        row.same("EVSAccessKMS", [it.name for it in found], ["EVSAccessKMS"])
        row.same("no such agency", ask("no-such-agency"), [])
    with table.call(SDK, "ListProjectPermissionsForAgency") as row:
        request = iam.ListProjectPermissionsForAgencyRequest(cloud.project, found[0].id)
        roles = cloud.iam.list_project_permissions_for_agency(request).roles
        row.check("a role for KMS", any("KMS" in it.display_name for it in roles), roles)
